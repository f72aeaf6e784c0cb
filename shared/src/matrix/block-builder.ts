import type { CsrBlock, ValueArray } from './csr-block.js';

/** Collects the nonzeros of dense rows, one row after the other, until they make a block. */
export class BlockBuilder {
  private indices = new Uint32Array(0);
  private values: ValueArray;
  private readonly indptr: number[] = [0];

  /**
   * @param nColumns - length of a row
   * @param newValues - makes arrays for the values
   */
  constructor(
    private readonly nColumns: number,
    private readonly newValues: (length: number) => ValueArray,
  ) {
    this.values = newValues(0);
  }

  get nRows(): number {
    return this.indptr.length - 1;
  }

  get nonzeroCount(): number {
    return this.indptr[this.nRows];
  }

  /** Appends the nonzeros of `dense[begin … begin + nColumns)` as a row. */
  append(dense: ValueArray, begin: number): void {
    const { nColumns } = this;
    let end = this.nonzeroCount;
    this.reserve(end + nColumns);
    const { indices, values } = this;
    for (let column = 0; column < nColumns; column++) {
      const value = dense[begin + column];
      if (value === 0) continue;
      indices[end] = column;
      values[end] = value;
      end++;
    }
    this.indptr.push(end);
  }

  /** All rows as a block, whose arrays are the builder's own: valid until the next `append`. */
  block(rowBegin: number): CsrBlock {
    const { indices, values, nRows } = this;
    return { rowBegin, nRows, indptr: Uint32Array.from(this.indptr), indices, values };
  }

  clear(): void {
    this.indptr.length = 1;
  }

  private reserve(length: number): void {
    if (length <= this.indices.length) return;
    const capacity = Math.max(length, Math.ceil(this.indices.length * 1.5));
    const indices = new Uint32Array(capacity);
    const values = this.newValues(capacity);
    indices.set(this.indices.subarray(0, this.nonzeroCount));
    values.set(this.values.subarray(0, this.nonzeroCount));
    this.indices = indices;
    this.values = values;
  }
}

/** Number of nonzeros of `dense[begin … begin + length)`. */
export function countNonzeros(dense: ValueArray, begin: number, length: number): number {
  let count = 0;
  for (let i = begin; i < begin + length; i++) if (dense[i] !== 0) count++;
  return count;
}
