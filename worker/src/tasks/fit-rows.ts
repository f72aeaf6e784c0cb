import {
  fitArrayName,
  resultLayers,
  type BundleArray,
  type ComparisonTrend,
  type ConvergenceSummary,
  type ResultLayer,
} from '@shardex/shared/artifacts';
import type { DeParameters, TestName } from '@shardex/shared/config';
import { benjaminiHochberg, bonferroni, GENE_STATUS_LEGEND, GeneStatus } from '@shardex/shared/stats';

/** Fits without convergence that are named. */
const NAMED_FITS = 3;

const CONSTRUCTORS = { f32: Float32Array, f64: Float64Array, u8: Uint8Array, i32: Int32Array } as const;

/** The result rows that one task makes: perturbations × genes, one array a layer and test. */
export class FitRows {
  private readonly arrays = new Map<string, BundleArray>();
  private readonly comparisonTrends: ComparisonTrend[] = [];

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

  /** Whether this run writes a layer. */
  has(test: TestName, layer: string): boolean {
    return this.arrays.has(fitArrayName(test, layer));
  }

  /** The part of a layer that belongs to one perturbation; null when this run does not write it. */
  row(test: TestName, layer: string, row: number): BundleArray | null {
    return this.arrays.get(fitArrayName(test, layer))?.subarray(row * this.nGenes, (row + 1) * this.nGenes) ?? null;
  }

  /** Status of every gene of one perturbation. */
  status(test: TestName, row: number): Uint8Array {
    return this.row(test, 'status', row) as Uint8Array;
  }

  /** Notes what one comparison's own dispersions rest on. */
  setTrend(row: number, { trendKind, trendCoefficients, priorVariance }: ComparisonTrend): void {
    this.comparisonTrends[row] = { trendKind, trendCoefficients, priorVariance };
  }

  /** Of each row; null unless comparisons have dispersions of their own. */
  get trends(): readonly ComparisonTrend[] | null {
    return this.comparisonTrends.length === 0 ? null : this.comparisonTrends;
  }

  /** Fits of the NB-GLM that did not converge: how many, and the first few in order of rows, then genes. */
  notConverged(): ConvergenceSummary {
    const status = this.arrays.get(fitArrayName('nb-glm', 'status')) as Uint8Array | undefined;
    const first: (readonly [row: number, gene: number])[] = [];
    let count = 0;
    status?.forEach((code, at) => {
      if (code !== GeneStatus.notConverged) return;
      count++;
      if (first.length < NAMED_FITS) first.push([Math.floor(at / this.nGenes), at % this.nGenes]);
    });
    return { count, first };
  }

  /** How many genes of all rows have each status, by its code, for every test. */
  statuses(): Readonly<Record<string, readonly number[]>> {
    return Object.fromEntries(
      this.parameters.tests.map((test) => {
        const counts = GENE_STATUS_LEGEND.map(() => 0);
        for (const code of this.arrays.get(fitArrayName(test, 'status')) as Uint8Array) counts[code]++;
        return [test, counts];
      }),
    );
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
