/**
 * The functions of shared/assembly, as the host calls them. Every argument and result is a number; an argument named
 * after an array is the array's address in the heap (`view.byteOffset`), never an object. Kernels neither allocate nor
 * check bounds: the wrappers beside this file do both. A u32 result arrives as a signed number: apply `>>> 0`.
 */
export interface KernelExports {
  heapBase(): number;

  decodeCountRows(
    source: number,
    rowOffsets: number,
    nRows: number,
    geneBegin: number,
    geneEnd: number,
    indptr: number,
    genes: number,
    counts: number,
  ): number;
  decodeRealRows(
    source: number,
    rowOffsets: number,
    nRows: number,
    geneBegin: number,
    geneEnd: number,
    indptr: number,
    genes: number,
    values: number,
  ): number;
  scatterCountKeys(
    indptr: number,
    genes: number,
    counts: number,
    nRows: number,
    totals: number,
    cursors: number,
    keys: number,
  ): void;
  scatterRealKeys(indptr: number, genes: number, values: number, nRows: number, cursors: number, keys: number): void;
}
