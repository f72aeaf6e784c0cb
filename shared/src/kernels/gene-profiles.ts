import type { KernelHeap } from './kernel-heap.js';

/** Points of log α and the interpolation between them; `DispersionGrid` in shared/src/stats says what each part is. */
export interface ProfileGrid {
  /** A. */
  readonly count: number;
  readonly logAlphas: Float64Array;
  readonly bounded: Float64Array;
  readonly nodes: Float64Array;
  readonly barycentric: Float64Array;
  readonly ratios: Float64Array;
  readonly ys: Float64Array;
  readonly middle: number;
  readonly scale: number;
  readonly evenness: number;
  readonly logBend: number;
  readonly locality: number;
  /** α l/(1 + α l): (l − 1) · 2⌈A/2⌉ + a. */
  readonly countSlopes: { readonly slopes: Float64Array };
  bellAbout(x: number): Float64Array;
}

/** Numbers of an entry of `overflow`. */
const TRIPLE = 3;

/** What the profiles of all genes consist of; arrays of nGenes, in the heap or not. */
export interface ProfileParts {
  /** Sums of slopes over groups, nGenes × A, in units of 2^-quantumExponents[j]. */
  readonly sums: BigInt64Array;
  readonly quantumExponents: ArrayLike<number>;
  /** A gene whose total is not above 0 has no profile. */
  readonly totals: ArrayLike<number>;
  /** Cells with a count of 1 … 64, nGenes × 64. */
  readonly dense: Uint32Array;
  /** Triples (gene, count, cells) of larger counts, ascending in gene. */
  readonly overflow: Uint32Array;
}

/** Normal priors of log α, one variance for all genes. */
export interface LogNormalPriors {
  /** Per gene. */
  readonly means: Float64Array;
  readonly variance: number;
}

/**
 * The Cox–Reid profiles of log α of all genes, by their slopes at a grid's points, and where they are highest.
 *
 * The plain twin of both is `GeneProfile` in shared/src/stats, with which `maximise` agrees to 2e-9: each knows a maximum
 * to 1e-9. Memory: 8·2⌈A/2⌉ bytes a gene, and a copy of what does not lie in the heap. Cost at A = 44: 0.5 µs a gene for the
 * slopes (large counts included, where there is one for every second gene), 0.9 µs for a maximum.
 */
export class GeneProfiles {
  private readonly stride: number;
  private readonly nGenes: number;
  private readonly totals: Float64Array;
  /** At the grid's points, rows of 2⌈A/2⌉; in the heap. Those of genes without a profile hold whatever was there. */
  readonly slopes: Float64Array;

  /** @param heap - everything is allocated here, and stays: call within `scoped` */
  constructor(
    private readonly heap: KernelHeap,
    private readonly grid: ProfileGrid,
    parts: ProfileParts,
  ) {
    this.stride = grid.count + (grid.count % 2);
    this.nGenes = parts.totals.length;
    this.totals = heap.copyF64(parts.totals);
    this.slopes = heap.uninitialised(Float64Array, this.nGenes * this.stride);
    heap.scoped(() => {
      heap.exports.profileSlopes(
        this.nGenes,
        grid.count,
        heap.within(parts.sums).byteOffset,
        heap.copyF64(Float64Array.from(parts.quantumExponents, (q) => 2 ** -q)).byteOffset,
        this.totals.byteOffset,
        heap.within(parts.dense).byteOffset,
        heap.within(parts.overflow).byteOffset,
        parts.overflow.length / TRIPLE,
        heap.within(grid.countSlopes.slopes).byteOffset,
        this.row(grid.logAlphas.map((x) => Math.exp(-x))),
        this.slopes.byteOffset,
      );
    });
  }

  /**
   * log α at each gene's highest maximum within the grid's bounds, to 1e-9; NaN for genes without a profile.
   *
   * @returns an array in the heap, above its present top
   */
  maximise(priors?: LogNormalPriors): Float64Array {
    const { heap, grid, stride, nGenes } = this;
    const { bounded, count } = grid;
    const logAlphas = heap.uninitialised(Float64Array, nGenes);
    heap.scoped(() => {
      const bells = heap.f64((count + 1) * stride);
      for (let a = 0; a <= count; a++) bells.set(grid.bellAbout((bounded[a] + bounded[a + 1]) / 2), a * stride);
      heap.exports.profileMaxima(
        nGenes,
        count,
        this.slopes.byteOffset,
        this.totals.byteOffset,
        priors === undefined ? 0 : heap.within(priors.means).byteOffset,
        priors?.variance ?? Infinity,
        heap.within(bounded).byteOffset,
        this.row(grid.nodes),
        this.row(grid.barycentric),
        this.row(grid.ratios),
        this.row(grid.ys),
        bells.byteOffset,
        grid.middle,
        grid.scale,
        grid.evenness,
        grid.logBend,
        grid.locality,
        heap.uninitialised(Float64Array, 3 * stride).byteOffset,
        logAlphas.byteOffset,
      );
    });
    return logAlphas;
  }

  /** Address of a copy of A values, with a 0 after them where A is odd. */
  private row(values: Float64Array): number {
    const copy = this.heap.f64(this.stride);
    copy.set(values);
    return copy.byteOffset;
  }
}
