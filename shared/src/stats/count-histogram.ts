import { CorruptDataError } from '../errors/index.js';
import { addIntegers, type HeapRows, type KernelHeap } from '../kernels/index.js';

/** Counts up to here have a cell of their own; larger ones, rare in single cells, go into a map. */
export const DENSE_COUNTS = 64;
/** Larger ones that a call of the kernel can hand over: 128 KiB. */
const LARGE_ROOM = 16_384;

/** A histogram as it is stored; overflow holds triples (gene, count, cells) in ascending order of gene, then count. */
export interface CountHistogramArrays {
  readonly nGenes: number;
  readonly dense: Uint32Array;
  readonly overflow: Uint32Array;
}

/**
 * How many cells have each count, per gene: all that the dispersion likelihood needs of the counts beyond the measures.
 *
 * Whole numbers, so the order of cells, blocks and merges does not matter. Memory: 256 bytes a gene.
 */
export class CountHistogram {
  /** dense[j·64 + y − 1] = number of cells with count y, 1 ≤ y ≤ 64. */
  readonly dense: Uint32Array;
  /** For each gene with counts beyond 64: count → cells. */
  private readonly overflow = new Map<number, Map<number, number>>();

  /** @param heap - where `dense` is allocated, so that kernels count and add; null: by plain code, their twin */
  constructor(
    readonly nGenes: number,
    private readonly heap: KernelHeap | null = null,
  ) {
    const length = nGenes * DENSE_COUNTS;
    this.dense = heap === null ? new Uint32Array(length) : heap.u32(length);
  }

  /**
   * Adds the cells of a block. Cost: 1.4 ns a nonzero by the kernel, 7 to 14 by plain code.
   *
   * @param rows - in the histogram's heap, if it has one
   */
  addRows(rows: HeapRows): void {
    if (this.heap === null) this.addPlainly(rows, 1);
    else this.addByKernel(rows, this.heap);
  }

  /** Adds another histogram of the same genes. */
  merge(other: CountHistogram): void {
    this.addDense(other.dense);
    for (const [gene, cells] of other.overflow) for (const [count, n] of cells) this.addLarge(gene, count, n);
  }

  /** Counts beyond 64 of a gene, ascending, with their numbers of cells. */
  largeCounts(gene: number): readonly (readonly [count: number, cells: number])[] {
    return [...(this.overflow.get(gene) ?? [])].sort(([a], [b]) => a - b);
  }

  /** Σ y of every gene. */
  totals(): Float64Array {
    return Float64Array.from({ length: this.nGenes }, (_, gene) => {
      let total = 0;
      for (let y = 1; y <= DENSE_COUNTS; y++) total += y * this.dense[gene * DENSE_COUNTS + y - 1];
      for (const [count, cells] of this.overflow.get(gene) ?? []) total += count * cells;
      return total;
    });
  }

  /** Equal histograms give equal arrays, whatever order they were filled in. */
  toArrays(): CountHistogramArrays {
    const triples: number[] = [];
    for (const gene of [...this.overflow.keys()].sort((a, b) => a - b)) {
      for (const [count, cells] of this.largeCounts(gene)) triples.push(gene, count, cells);
    }
    return { nGenes: this.nGenes, dense: this.dense, overflow: Uint32Array.from(triples) };
  }

  /** @throws CorruptDataError when the lengths do not fit together */
  static fromArrays(arrays: CountHistogramArrays): CountHistogram {
    const histogram = new CountHistogram(arrays.nGenes);
    histogram.mergeArrays(arrays);
    return histogram;
  }

  /**
   * Adds a stored histogram of the same genes.
   *
   * @throws CorruptDataError when the lengths do not fit together
   */
  mergeArrays({ nGenes, dense, overflow }: CountHistogramArrays): void {
    if (nGenes !== this.nGenes || dense.length !== nGenes * DENSE_COUNTS || overflow.length % 3 !== 0) {
      throw new CorruptDataError('a stored count histogram has the wrong size', {
        hint: 'delete the scratch folder and run again',
        details: { nGenes, dense: dense.length, overflow: overflow.length },
      });
    }
    this.addDense(dense);
    for (let i = 0; i < overflow.length; i += 3) this.addLarge(overflow[i], overflow[i + 1], overflow[i + 2]);
  }

  private addDense(counts: Uint32Array): void {
    const { dense, heap } = this;
    if (heap !== null) addIntegers(heap, dense, counts);
    else for (let i = 0; i < dense.length; i++) dense[i] += counts[i];
  }

  private addByKernel({ nRows, indptr, indices, counts }: HeapRows, heap: KernelHeap): void {
    heap.scoped(() => {
      const cursors = heap.uninitialised(Uint32Array, nRows);
      const large = heap.uninitialised(Uint32Array, 2 * LARGE_ROOM);
      const rows = [indptr, indices, counts].map(({ byteOffset }) => byteOffset) as [number, number, number];
      const [at, dense, pairs] = [cursors, this.dense, large].map(({ byteOffset }) => byteOffset);
      const found = heap.exports.countCounts(...rows, nRows, this.nGenes, at, dense, pairs, LARGE_ROOM) >>> 0;
      if (found > LARGE_ROOM) this.addPlainly({ nRows, indptr, indices, counts }, DENSE_COUNTS + 1);
      else for (let i = 0; i < found; i++) this.addLarge(large[2 * i], large[2 * i + 1], 1);
    });
  }

  /** Adds the counts from `least` on. */
  private addPlainly({ nRows, indptr, indices, counts }: HeapRows, least: number): void {
    const { dense } = this;
    const end = indptr[nRows];
    for (let i = indptr[0]; i < end; i++) {
      const count = counts[i];
      if (count < least) continue;
      if (count <= DENSE_COUNTS) dense[indices[i] * DENSE_COUNTS + count - 1]++;
      else this.addLarge(indices[i], count, 1);
    }
  }

  private addLarge(gene: number, count: number, cells: number): void {
    let ofGene = this.overflow.get(gene);
    if (ofGene === undefined) {
      ofGene = new Map<number, number>();
      this.overflow.set(gene, ofGene);
    }
    ofGene.set(count, (ofGene.get(count) ?? 0) + cells);
  }
}
