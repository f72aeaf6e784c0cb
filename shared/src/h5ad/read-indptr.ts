import { CorruptDataError } from '../errors/index.js';
import type { ByteSource } from '../storage/index.js';
import { ElementWindow } from './decode/index.js';
import { rowSourceContext, type RowSourceContext } from './row-source-context.js';
import type { SparseMatrixDescriptor } from './types.js';

/**
 * Where each row (csr) or column (csc) of a sparse matrix begins among its nonzeros, all of it, checked.
 *
 * @returns lines + 1 offsets from 0 to the number of nonzeros, not descending
 * @throws CorruptDataError naming the line at which they descend, or when they do not run from 0 to the end
 */
export async function readRowOffsets(matrix: SparseMatrixDescriptor, source: ByteSource): Promise<Float64Array> {
  return readIndptr(matrix, 0, matrix.indptr.shape[0] - 1, rowSourceContext(source, {}));
}

/** The offsets of lines [begin, end), with that of line `end` behind them; checked as far as they are read. */
export async function readIndptr(
  matrix: SparseMatrixDescriptor,
  begin: number,
  end: number,
  context: RowSourceContext,
): Promise<Float64Array> {
  const { indptr, nonzeroCount } = matrix;
  const window = await ElementWindow.open(indptr, begin, end + 1, (length) => new Float64Array(length), context);
  try {
    const offsets = await window.slice(begin, end + 1);
    check(offsets, matrix, begin, context.label);
    const lines = indptr.shape[0] - 1;
    if (begin === 0 && offsets[0] !== 0) {
      throw corrupt(context.label, matrix, 0, `begins at nonzero ${offsets[0]} instead of 0`);
    }
    if (end === lines && offsets[end - begin] !== nonzeroCount) {
      throw corrupt(
        context.label,
        matrix,
        lines,
        `should be where the ${nonzeroCount} nonzeros end, but is at ${offsets[end - begin]}`,
      );
    }
    return offsets;
  } finally {
    window.close();
  }
}

function check(offsets: Float64Array, matrix: SparseMatrixDescriptor, begin: number, label: string): void {
  let previous = 0;
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i];
    if (offset < previous)
      throw corrupt(label, matrix, begin + i, `begins at nonzero ${offset}, before the one above it`);
    if (offset > matrix.nonzeroCount) {
      throw corrupt(label, matrix, begin + i, `begins at nonzero ${offset} of ${matrix.nonzeroCount}`);
    }
    previous = offset;
  }
}

function corrupt(label: string, matrix: SparseMatrixDescriptor, line: number, reason: string): CorruptDataError {
  const what = matrix.kind === 'csr' ? 'row' : 'column';
  return new CorruptDataError(`${label} is damaged: ${what} ${line} of ${matrix.path} ${reason}`, {
    hint: 'write the file again with anndata',
    details: { path: label, dataset: matrix.indptr.path, [what]: line },
  });
}
