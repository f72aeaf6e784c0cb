import { normaliseRows, type CsrBlock, type RowSource, type ValueArray } from '../matrix/index.js';
import { ElementWindow, newValueArray } from './decode/index.js';
import { lastRowOfBlock } from './read-csr.js';
import { readIndptr } from './read-indptr.js';
import { corruptRow, streamOptions, type RowSourceContext } from './row-source-context.js';
import type { SparseMatrixDescriptor } from './types.js';

/** Nonzeros looked at together while the columns are scanned. */
const SCAN_NONZEROS = 1 << 20;

/** Nonzeros of the wanted rows, in the order of the file. */
interface Collected {
  rows: Uint32Array;
  columns: Uint32Array;
  values: ValueArray;
  count: number;
}

/**
 * Rows of a matrix stored by columns. Every call reads and decodes the whole matrix and keeps the nonzeros of its own rows,
 * which are then sorted into rows by counting: k calls for k row ranges cost k times the decoding, and memory is
 * 20 to 28 bytes for each nonzero of the range. Convert such a file to CSR when it is to be read often.
 */
export class CscRowSource implements RowSource {
  readonly nRows: number;
  readonly nColumns: number;

  constructor(
    private readonly matrix: SparseMatrixDescriptor,
    private readonly context: RowSourceContext,
  ) {
    this.nRows = matrix.nRows;
    this.nColumns = matrix.nColumns;
  }

  async *blocks(rowBegin: number, rowEnd: number, maxNonzeros: number): AsyncGenerator<CsrBlock> {
    if (rowEnd <= rowBegin) return;
    const { matrix, context } = this;
    const collected = await this.collect(rowBegin, rowEnd);
    const { offsets, columns, values } = sortIntoRows(collected, rowEnd - rowBegin);
    for (let row = 0; row < rowEnd - rowBegin;) {
      const last = lastRowOfBlock(offsets, row, maxNonzeros);
      const begin = offsets[row];
      const end = offsets[last];
      const block = {
        rowBegin: rowBegin + row,
        nRows: last - row,
        indptr: offsets.slice(row, last + 1).map((offset) => offset - begin),
        indices: columns.subarray(begin, end),
        values: values.subarray(begin, end),
      };
      normaliseRows(block, matrix.nColumns, (i, reason) =>
        corruptRow(context, matrix.path, block.rowBegin + i, reason),
      );
      yield block;
      row = last;
    }
  }

  private async collect(rowBegin: number, rowEnd: number): Promise<Collected> {
    const { matrix, context } = this;
    const { data, indices, nonzeroCount } = matrix;
    const offsets = await readIndptr(matrix, 0, matrix.nColumns, context);
    const rowWindow = await ElementWindow.open(
      indices,
      0,
      nonzeroCount,
      (length) => new Uint32Array(length),
      streamOptions(context, 'indices'),
    );
    const valueWindow = await ElementWindow.open(
      data,
      0,
      nonzeroCount,
      (length) => newValueArray(data.type, length),
      streamOptions(context, 'data'),
    );
    const guess = Math.ceil((nonzeroCount / Math.max(1, matrix.nRows)) * (rowEnd - rowBegin) * 1.1) + SCAN_NONZEROS;
    const collected = emptyCollection(Math.min(guess, nonzeroCount), newValueArray(data.type, 0));
    try {
      let column = 0;
      for (let begin = 0; begin < nonzeroCount; begin += SCAN_NONZEROS) {
        const end = Math.min(nonzeroCount, begin + SCAN_NONZEROS);
        const rows = await rowWindow.slice(begin, end);
        const values = await valueWindow.slice(begin, end);
        reserve(collected, end - begin);
        column = this.keep(collected, { rows, values, begin, rowBegin, rowEnd }, offsets, column);
      }
    } finally {
      rowWindow.close();
      valueWindow.close();
    }
    return collected;
  }

  /** Adds the wanted nonzeros of a stretch; returns the column it ends in. */
  private keep(
    collected: Collected,
    stretch: { rows: Uint32Array; values: ValueArray; begin: number; rowBegin: number; rowEnd: number },
    offsets: Float64Array,
    firstColumn: number,
  ): number {
    const { rows, values, begin, rowBegin, rowEnd } = stretch;
    const { nRows, path } = this.matrix;
    let { count } = collected;
    let column = firstColumn;
    let columnEnd = offsets[column + 1] - begin;
    for (let i = 0; i < rows.length; i++) {
      while (i >= columnEnd) columnEnd = offsets[++column + 1] - begin;
      const row = rows[i];
      if (row >= nRows)
        corruptRow(this.context, path, row, `is named in column ${column} of a matrix of ${nRows} rows`);
      if (row < rowBegin || row >= rowEnd) continue;
      collected.rows[count] = row - rowBegin;
      collected.columns[count] = column;
      collected.values[count] = values[i];
      count++;
    }
    collected.count = count;
    return column;
  }
}

const emptyCollection = (capacity: number, like: ValueArray): Collected => ({
  rows: new Uint32Array(capacity),
  columns: new Uint32Array(capacity),
  values: valuesLike(like, capacity),
  count: 0,
});

const valuesLike = (like: ValueArray, length: number): ValueArray =>
  like instanceof Float32Array ? new Float32Array(length) : new Float64Array(length);

/** Makes room for `extra` more. */
function reserve(collected: Collected, extra: number): void {
  const needed = collected.count + extra;
  if (needed <= collected.rows.length) return;
  const grown = emptyCollection(Math.max(needed, Math.ceil(collected.rows.length * 1.5)), collected.values);
  grown.rows.set(collected.rows.subarray(0, collected.count));
  grown.columns.set(collected.columns.subarray(0, collected.count));
  grown.values.set(collected.values.subarray(0, collected.count));
  Object.assign(collected, { rows: grown.rows, columns: grown.columns, values: grown.values });
}

/** A counting sort: nonzeros of a row stay in the order of their columns. */
function sortIntoRows(
  collected: Collected,
  nRows: number,
): { offsets: Uint32Array; columns: Uint32Array; values: ValueArray } {
  const { rows, columns, values, count } = collected;
  const offsets = new Uint32Array(nRows + 1);
  for (let i = 0; i < count; i++) offsets[rows[i] + 1]++;
  for (let row = 0; row < nRows; row++) offsets[row + 1] += offsets[row];
  const next = offsets.slice(0, nRows);
  const sortedColumns = new Uint32Array(count);
  const sortedValues = valuesLike(values, count);
  for (let i = 0; i < count; i++) {
    const at = next[rows[i]]++;
    sortedColumns[at] = columns[i];
    sortedValues[at] = values[i];
  }
  return { offsets, columns: sortedColumns, values: sortedValues };
}
