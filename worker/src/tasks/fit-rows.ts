import { fitArrayName, resultLayers, type BundleArray, type ResultLayer } from '@shardex/shared/artifacts';
import type { DeParameters, TestName } from '@shardex/shared/config';
import { benjaminiHochberg, bonferroni, GeneStatus } from '@shardex/shared/stats';

const CONSTRUCTORS = { f32: Float32Array, f64: Float64Array, u8: Uint8Array, i32: Int32Array } as const;

/** The result rows that one task makes: perturbations × genes, one array a layer and test. */
export class FitRows {
  private readonly arrays = new Map<string, BundleArray>();

  /** @param stage - whose layers they are */
  constructor(
    private readonly parameters: DeParameters,
    private readonly nRows: number,
    private readonly nGenes: number,
    stage: 'fit' | 'shrink' = 'fit',
  ) {
    for (const test of parameters.tests) {
      for (const layer of resultLayers(test, parameters)) {
        const isOurs = layer.merged !== true && (layer.shrunk === true) === (stage === 'shrink');
        if (isOurs) this.arrays.set(fitArrayName(test, layer.name), this.make(layer));
      }
    }
  }

  /** Sets a layer of one perturbation; a layer this run does not write is passed over. */
  set(test: TestName, layer: string, row: number, values: ArrayLike<number>): void {
    const array = this.arrays.get(fitArrayName(test, layer));
    if (array === undefined || array instanceof BigInt64Array) return;
    array.set(values, row * this.nGenes);
  }

  /** The part of a layer that belongs to one perturbation; null when this run does not write it. */
  row(test: TestName, layer: string, row: number): BundleArray | null {
    return this.arrays.get(fitArrayName(test, layer))?.subarray(row * this.nGenes, (row + 1) * this.nGenes) ?? null;
  }

  /** Status of every gene of one perturbation. */
  status(test: TestName, row: number): Uint8Array {
    return this.row(test, 'status', row) as Uint8Array;
  }

  /** Fits of the NB-GLM that did not converge. */
  notConverged(): number {
    const status = this.arrays.get(fitArrayName('nb-glm', 'status')) as Uint8Array | undefined;
    return status?.reduce((n, code) => n + (code === GeneStatus.notConverged ? 1 : 0), 0) ?? 0;
  }

  /** Adjusts the p-values of every perturbation within itself. */
  adjust(): void {
    const correct = this.parameters.correction === 'bonferroni' ? bonferroni : benjaminiHochberg;
    for (const test of this.parameters.tests) {
      for (let row = 0; row < this.nRows; row++) {
        correct(this.row(test, 'pvalue', row) as Float64Array, this.row(test, 'pvalue_adj', row) as Float64Array);
      }
    }
  }

  toArrays(): Record<string, BundleArray> {
    return Object.fromEntries(this.arrays);
  }

  private make(layer: ResultLayer): BundleArray {
    return new CONSTRUCTORS[layer.dtype](this.nRows * this.nGenes);
  }
}
