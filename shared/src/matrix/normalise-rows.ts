import type { ValueArray, ValueArrayConstructor } from './csr-block.js';

/** Rows that may be changed in place; as `CsrBlock`, before its guarantees hold. */
export interface RawRows {
  readonly nRows: number;
  /** nRows + 1 offsets, starting at 0, not descending. */
  readonly indptr: Uint32Array;
  readonly indices: Uint32Array;
  readonly values: ValueArray;
}

/** Where a row source keeps what it reads, and who looks it over. */
export interface RowArrays {
  indices(length: number): Uint32Array;
  values(constructor: ValueArrayConstructor, length: number): ValueArray;
  /** The first row that is not strictly ascending, within range and free of zeros; nRows when all are. */
  firstIrregularRow(rows: RawRows, nColumns: number): number;
}

/** New arrays of JavaScript, looked over by plain code. */
export const PLAIN_ARRAYS: RowArrays = {
  indices: (length) => new Uint32Array(length),
  values: (constructor, length) => new constructor(length),
  firstIrregularRow,
};

/** Called with what is wrong with a row; throws. */
export type RowProblem = (row: number, reason: string) => never;

/**
 * Sorts each row by column and removes explicit zeros, in place.
 *
 * Rows that are in order already, the usual case, are left alone. Cost otherwise O(n log n) a row.
 *
 * @param nColumns - column indices must be below this
 * @param onProblem - told of a column index that is out of range or occurs twice in its row (row counted from the first)
 * @param first - the first row that is irregular, if it is known
 */
export function normaliseRows(
  rows: RawRows,
  nColumns: number,
  onProblem: RowProblem,
  first = firstIrregularRow(rows, nColumns),
): void {
  const { indptr, indices, values, nRows } = rows;
  if (first === nRows) return;
  let end = indptr[first];
  let written = end;
  for (let row = first; row < nRows; row++) {
    // indptr[row] is about to be overwritten by the row's new beginning; `end` still holds the old one.
    const begin = end;
    end = indptr[row + 1];
    indptr[row] = written;
    sortRow(indices, values, begin, end);
    checkRow(indices, begin, end, nColumns, (reason) => onProblem(row, reason));
    for (let i = begin; i < end; i++) {
      if (values[i] === 0) continue;
      indices[written] = indices[i];
      values[written] = values[i];
      written++;
    }
  }
  indptr[nRows] = written;
}

/** The first row that is not strictly ascending, within range and free of zeros; nRows when all are. */
export function firstIrregularRow({ nRows, indptr, indices, values }: RawRows, nColumns: number): number {
  for (let row = 0; row < nRows; row++) {
    const end = indptr[row + 1];
    let previous = -1;
    for (let i = indptr[row]; i < end; i++) {
      const column = indices[i];
      if (column <= previous || values[i] === 0) return row;
      previous = column;
    }
    // Ascending, so that the last is the largest.
    if (previous >= nColumns) return row;
  }
  return nRows;
}

function checkRow(
  indices: Uint32Array,
  begin: number,
  end: number,
  nColumns: number,
  onProblem: (reason: string) => never,
): void {
  if (end > begin && indices[end - 1] >= nColumns) {
    onProblem(`has a column index that is negative or not below ${nColumns}`);
  }
  for (let i = begin + 1; i < end; i++) {
    if (indices[i] === indices[i - 1]) onProblem(`has two values in column ${indices[i]}`);
  }
}

/** Sorts one row by column; equal columns keep their order. */
function sortRow(indices: Uint32Array, values: ValueArray, begin: number, end: number): void {
  let isSorted = true;
  for (let i = begin + 1; i < end && isSorted; i++) isSorted = indices[i] >= indices[i - 1];
  if (isSorted) return;
  // Column and position in one number, below 2^53 for any row of up to 2^21 entries, so that the engine's own sort of
  // doubles can be used: several times faster than a comparison function.
  const length = end - begin;
  const keys = new Float64Array(length);
  for (let i = 0; i < length; i++) keys[i] = indices[begin + i] * length + i;
  keys.sort();
  const unsorted = values.slice(begin, end);
  for (let i = 0; i < length; i++) {
    const column = Math.floor(keys[i] / length);
    indices[begin + i] = column;
    values[begin + i] = unsorted[keys[i] - column * length];
  }
}
