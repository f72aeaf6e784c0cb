/** What a nonzero is stored as once it has left the file. */
export type ValueArray = Float32Array | Float64Array;
export type ValueArrayConstructor = Float32ArrayConstructor | Float64ArrayConstructor;

/**
 * A run of consecutive cells of a cells × genes matrix in compressed sparse rows.
 *
 * `values` is Float32Array for float32 and for integers of at most 16 bits, Float64Array for all other input types.
 * Column indices within a row are strictly ascending and explicit zeros are removed: the reader guarantees both.
 * The arrays are reused: they are valid only until the next block is asked for.
 */
export interface CsrBlock {
  /** Index, within the file, of the block's first row. */
  readonly rowBegin: number;
  readonly nRows: number;
  /** nRows + 1 offsets into `indices` and `values`, starting at 0. */
  readonly indptr: Uint32Array;
  /** Gene index of each nonzero. May be longer than indptr[nRows]. */
  readonly indices: Uint32Array;
  /** Value of each nonzero, parallel to `indices`. */
  readonly values: ValueArray;
}

/** Anything that yields the rows of a matrix in order: the contract between reading and computing. */
export interface RowSource {
  readonly nRows: number;
  readonly nColumns: number;
  /**
   * Blocks covering rows [rowBegin, rowEnd) exactly once, in order.
   *
   * @param maxNonzeros - upper bound of a block's nonzeros, except that a block holds at least one row
   * @throws CorruptDataError for unsorted-beyond-repair, duplicate or out-of-range indices, naming the row
   */
  blocks(rowBegin: number, rowEnd: number, maxNonzeros: number): AsyncIterable<CsrBlock>;
}
