import type { KernelHeap } from './kernel-heap.js';

/**
 * Rows of count data in the kernel heap: the form in which cells reach the kernels.
 *
 * Row r holds the nonzeros indptr[r] … indptr[r + 1] − 1; genes ascend within a row and every count is at least 1.
 * All arrays must come from one `KernelHeap`. They may be longer than the rows need.
 */
export interface HeapRows {
  readonly nRows: number;
  /** nRows + 1 offsets into `indices` and `counts`. */
  readonly indptr: Uint32Array;
  /** Gene of each nonzero. */
  readonly indices: Uint32Array;
  /** Count of each nonzero. */
  readonly counts: Uint32Array;
}

/** Copies rows in compressed sparse form into the heap. */
export function loadRows(
  heap: KernelHeap,
  rows: {
    readonly indptr: ArrayLike<number>;
    readonly indices: ArrayLike<number>;
    readonly counts: ArrayLike<number>;
  },
): HeapRows {
  return {
    nRows: rows.indptr.length - 1,
    indptr: heap.copyU32(rows.indptr),
    indices: heap.copyU32(rows.indices),
    counts: heap.copyU32(rows.counts),
  };
}
