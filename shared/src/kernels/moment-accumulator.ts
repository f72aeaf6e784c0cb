import type { HeapRealRows } from './decode-rows.js';
import type { HeapRows } from './heap-rows.js';
import type { KernelHeap } from './kernel-heap.js';

/** Counts are normalised to this many per cell before the logarithm. @source scanpy's and Seurat's convention */
export const NORMALIZED_TOTAL = 1e4;

/** Columns of `MomentAccumulator.sums`; there are four a gene. */
export const MomentColumn = { log: 0, logSquare: 1, normalized: 2, scaled: 3 } as const;

/**
 * Sums over the cells of one group, per gene:
 *     Σ x,  Σ x²,  Σ v,  Σ y/s   with v = 1e4 · y / total, x = log(1 + v), s the cell's size factor,
 * and the number of cells with a count.
 *
 * Cells are added strictly in the order given and every gene by itself, so the sums depend on the order of the group's
 * cells alone. About 3 ns a nonzero: the terms of small counts are remembered within a row. Memory: 36 bytes a gene.
 */
export class MomentAccumulator {
  /** Four sums a gene (`MomentColumn`); f64 in the heap. */
  readonly sums: Float64Array;
  /** Number of cells with a count, per gene; u32 in the heap. */
  readonly nExpressing: Uint32Array;
  private cells = 0;

  /**
   * @param heap - everything is allocated here; the accumulator lives until the heap is released below it
   * @param withSums - false: only cells that express a gene are counted, in a sixth of the time, and all sums are NaN
   */
  constructor(
    private readonly heap: KernelHeap,
    readonly nGenes: number,
    private readonly withSums = true,
  ) {
    this.sums = heap.f64(4 * nGenes);
    this.nExpressing = heap.u32(nGenes);
    this.reset();
  }

  get nCells(): number {
    return this.cells;
  }

  /** Starts a new group. */
  reset(): void {
    this.heap.zero(this.nExpressing);
    if (this.withSums) this.heap.zero(this.sums);
    else this.sums.fill(NaN);
    this.cells = 0;
  }

  /**
   * Adds cells of counts.
   *
   * @param rows - in the heap; gene indices below nGenes
   * @param totals - total count of each row, over all genes; f64 in the heap
   * @param sizeFactors - size factor of each row; f64 in the heap
   */
  addRows(rows: HeapRows, totals: Float64Array, sizeFactors: Float64Array): void {
    if (!this.withSums) return this.countExpressing(rows);
    this.heap.exports.addCountMoments(
      rows.indptr.byteOffset,
      rows.indices.byteOffset,
      rows.counts.byteOffset,
      rows.nRows,
      totals.byteOffset,
      sizeFactors.byteOffset,
      NORMALIZED_TOTAL,
      this.sums.byteOffset,
      this.nExpressing.byteOffset,
    );
    this.cells += rows.nRows;
  }

  /** Adds cells whose values are log(1 + v) already: x is the value, v = e^x − 1, and Σ y/s stays 0. */
  addRealRows(rows: HeapRealRows): void {
    if (!this.withSums) return this.countExpressing(rows);
    this.heap.exports.addRealMoments(
      rows.indptr.byteOffset,
      rows.indices.byteOffset,
      rows.values.byteOffset,
      rows.nRows,
      this.sums.byteOffset,
      this.nExpressing.byteOffset,
    );
    this.cells += rows.nRows;
  }

  private countExpressing({ indptr, indices, nRows }: HeapRows | HeapRealRows): void {
    const { exports } = this.heap;
    exports.countExpressing(indptr.byteOffset, indices.byteOffset, nRows, this.nExpressing.byteOffset);
    this.cells += nRows;
  }
}
