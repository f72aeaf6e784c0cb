import { KernelHeap, MeasureAccumulator, loadRows, type NodeSet } from '../../kernels/index.js';
import { chooseNodes } from '../chebyshev-nodes.js';
import { Sfc32 } from '../simulation-random.js';
import type { StrataArms, StratumMeasures } from './strata-glm.js';

export interface StrataScreenOptions {
  readonly seed: number;
  readonly strata: readonly (readonly number[])[];
  /** cells[arm][stratum]. */
  readonly cells: readonly (readonly number[])[];
  readonly genes: readonly { readonly mean: number; readonly dispersion: number }[];
  /** Log effect of level l of factor c: `effect · (l − c/2)`. */
  readonly effect: number;
  readonly beta: number;
}

interface Cell {
  readonly arm: number;
  readonly stratum: number;
  readonly sizeFactor: number;
}

/** A comparison with covariates in ordinary arrays, for tests that hold measures against sums over cells. */
export class StrataScreen {
  readonly cells: readonly Cell[];
  /** counts[gene][cell]. */
  readonly counts: readonly Float64Array[];
  readonly nodes: NodeSet;

  constructor(readonly options: StrataScreenOptions) {
    const { strata, genes, effect, beta } = options;
    const random = new Sfc32(options.seed, 2, 3);
    this.cells = options.cells.flatMap((ofArm, arm) =>
      ofArm.flatMap((n, stratum) =>
        Array.from({ length: n }, () => ({ arm, stratum, sizeFactor: Math.exp(0.5 * random.normal()) })),
      ),
    );
    const shift = ({ arm, stratum }: Cell): number =>
      beta * arm + strata[stratum].reduce((sum, level, c) => sum + effect * (level - c / 2), 0);
    this.counts = genes.map(({ mean, dispersion }) =>
      Float64Array.from(this.cells, (cell) => {
        const mu = mean * cell.sizeFactor * Math.exp(shift(cell));
        return poisson(random, mu * gamma(random, 1 / dispersion) * dispersion);
      }),
    );
    const factors = this.cells.map(({ sizeFactor }) => sizeFactor);
    this.nodes = chooseNodes(Math.min(...factors), Math.max(...factors), 1e-12);
  }

  get dispersions(): number[] {
    return this.options.genes.map(({ dispersion }) => dispersion);
  }

  cellsOf(arm: number): Uint32Array {
    return Uint32Array.from(this.options.cells[arm]);
  }

  arms(): StrataArms {
    const heap = KernelHeap.create(2 ** 28);
    const of = (arm: number): (StratumMeasures | null)[] =>
      this.options.strata.map((_, s) => this.measures(heap, arm, s));
    return { control: of(0), perturbed: of(1) };
  }

  private measures(heap: KernelHeap, arm: number, stratum: number): StratumMeasures | null {
    const chosen = this.cells.flatMap((cell, i) => (cell.arm === arm && cell.stratum === stratum ? [i] : []));
    if (chosen.length === 0) return null;
    const indptr = [0];
    const indices: number[] = [];
    const counts: number[] = [];
    for (const i of chosen) {
      this.counts.forEach((ofGene, gene) => {
        if (ofGene[i] === 0) return;
        indices.push(gene);
        counts.push(ofGene[i]);
      });
      indptr.push(indices.length);
    }
    const accumulator = new MeasureAccumulator(heap, this.counts.length, this.nodes, true);
    accumulator.addRows(
      loadRows(heap, { indptr, indices, counts }),
      chosen.map((i) => this.cells[i].sizeFactor),
    );
    return accumulator;
  }
}

function poisson(random: Sfc32, mean: number): number {
  let [count, product] = [0, random.uniform()];
  const limit = Math.exp(-mean);
  while (product > limit) [count, product] = [count + 1, product * random.uniform()];
  return count;
}

/** Marsaglia & Tsang 2000; shapes below 1 by their boost. */
function gamma(random: Sfc32, shape: number): number {
  if (shape < 1) return gamma(random, shape + 1) * random.uniform() ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = random.normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(random.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}
