import { normaliseRows, type CsrBlock, type RowSource } from '../matrix/index.js';
import { ElementWindow, valueArrayOf } from './decode/index.js';
import { readIndptr } from './read-indptr.js';
import { corruptRow, streamOptions, type RowSourceContext } from './row-source-context.js';
import type { SparseMatrixDescriptor } from './types.js';

/** Rows of a matrix stored by rows: decoded chunk by chunk, straight into the blocks where types allow. */
export class CsrRowSource implements RowSource {
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
    const { matrix, context } = this;
    const { data, indices, path } = matrix;
    const offsets = await readIndptr(matrix, rowBegin, rowEnd, context);
    const begin = offsets[0];
    const end = offsets[rowEnd - rowBegin];
    const columnWindow = await ElementWindow.open(
      indices,
      begin,
      end,
      (length) => context.arrays.indices(length),
      streamOptions(context, 'indices'),
    );
    const valueWindow = await ElementWindow.open(
      data,
      begin,
      end,
      (length) => context.arrays.values(valueArrayOf(data.type), length),
      streamOptions(context, 'data'),
    );
    try {
      let indptr = new Uint32Array(0);
      for (let row = rowBegin; row < rowEnd;) {
        const last = lastRowOfBlock(offsets, row - rowBegin, maxNonzeros) + rowBegin;
        const nRows = last - row;
        const first = offsets[row - rowBegin];
        if (indptr.length < nRows + 1) indptr = new Uint32Array(nRows + 1);
        for (let i = 0; i <= nRows; i++) indptr[i] = offsets[row - rowBegin + i] - first;
        const block = {
          rowBegin: row,
          nRows,
          indptr: indptr.subarray(0, nRows + 1),
          indices: await columnWindow.slice(first, first + indptr[nRows]),
          values: await valueWindow.slice(first, first + indptr[nRows]),
        };
        const irregular = context.arrays.firstIrregularRow(block, matrix.nColumns);
        const onProblem = (i: number, reason: string): never => corruptRow(context, path, block.rowBegin + i, reason);
        normaliseRows(block, matrix.nColumns, onProblem, irregular);
        yield block;
        row = last;
      }
    } finally {
      columnWindow.close();
      valueWindow.close();
    }
  }
}

/** One after the last row of a block that begins at `first`: as many as fit, at least one. */
export function lastRowOfBlock(offsets: ArrayLike<number>, first: number, maxNonzeros: number): number {
  let last = first + 1;
  while (last + 1 < offsets.length && offsets[last + 1] - offsets[first] <= maxNonzeros) last++;
  return last;
}
