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
