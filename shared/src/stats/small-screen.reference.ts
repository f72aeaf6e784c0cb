import { MeasureAccumulator, loadRows, type HeapRows, type KernelHeap, type NodeSet } from '../kernels/index.js';
import { chooseNodes } from './chebyshev-nodes.js';
import type { DirectCells } from './nb-direct.reference.js';
import { Sfc32 } from './simulation-random.js';

export interface SmallScreenOptions {
  readonly seed: number;
  /** Cells of each group; group 0 is the control. */
  readonly groupCells: readonly number[];
  readonly genes: readonly { readonly mean: number; readonly dispersion: number }[];
  /** Standard deviation of log s. */
  readonly sizeFactorSpread: number;
}

/** A small screen without effects in ordinary arrays, for tests that compare kernels with sums over cells. */
export class SmallScreen {
  readonly nodes: NodeSet;
  readonly sizeFactors: readonly Float64Array[];
  /** counts[group][gene][cell]. */
  readonly counts: readonly (readonly Float64Array[])[];

  constructor(readonly options: SmallScreenOptions) {
    const random = new Sfc32(options.seed, 1, 1);
    this.sizeFactors = options.groupCells.map((n) =>
      Float64Array.from({ length: n }, () => Math.exp(options.sizeFactorSpread * random.normal())),
    );
    this.counts = this.sizeFactors.map((factors) =>
      options.genes.map(({ mean, dispersion }) => factors.map((s) => drawCount(random, mean * s, dispersion))),
    );
    const all = this.sizeFactors.flatMap((factors) => [...factors]);
    this.nodes = chooseNodes(Math.min(...all), Math.max(...all));
  }

  get nGenes(): number {
    return this.options.genes.length;
  }

  get nCells(): number {
    return this.options.groupCells.reduce((sum, n) => sum + n, 0);
  }

  cells(group: number, gene: number): DirectCells {
    return { counts: this.counts[group][gene], sizeFactors: this.sizeFactors[group] };
  }

  rows(heap: KernelHeap, group: number): HeapRows {
    const indptr = [0];
    const indices: number[] = [];
    const counts: number[] = [];
    for (let cell = 0; cell < this.sizeFactors[group].length; cell++) {
      for (let gene = 0; gene < this.nGenes; gene++) {
        const count = this.counts[group][gene][cell];
        if (count > 0) {
          indices.push(gene);
          counts.push(count);
        }
      }
      indptr.push(indices.length);
    }
    return loadRows(heap, { indptr, indices, counts });
  }

  measures(heap: KernelHeap, group: number): MeasureAccumulator {
    const accumulator = new MeasureAccumulator(heap, this.nGenes, this.nodes, true);
    accumulator.addRows(this.rows(heap, group), this.sizeFactors[group]);
    return accumulator;
  }
}

/** A negative binomial count by inversion, or a rounded normal one where that would take too long. */
function drawCount(random: Sfc32, mean: number, dispersion: number): number {
  const variance = mean + dispersion * mean * mean;
  if (mean > 200) return Math.max(0, Math.round(mean + Math.sqrt(variance) * random.normal()));
  const r = 1 / dispersion;
  const q = (dispersion * mean) / (1 + dispersion * mean);
  let left = random.uniform();
  let probability = Math.exp(-r * Math.log1p(dispersion * mean));
  let count = 0;
  while (left > probability && count < 100_000) {
    left -= probability;
    probability *= (q * (r + count)) / (count + 1);
    count++;
  }
  return count;
}
