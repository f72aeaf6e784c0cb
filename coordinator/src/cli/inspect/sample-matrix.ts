import { openRowSource, type H5adMetadata, type MatrixDescriptor } from '@shardex/shared/h5ad';
import type { ByteSource } from '@shardex/shared/storage';
import { ScaleJudge, type ScaleVerdict } from './judge-scale.js';

/** Windows spread over the file, so that one odd batch at the beginning does not decide. */
const WINDOWS = 8;
const ROWS_A_WINDOW = 64;
/** Files up to this size are looked at as a whole. */
const FEW_ROWS = WINDOWS * ROWS_A_WINDOW;
const MAX_BLOCK_NONZEROS = 1 << 20;

/** Runs of rows to look at: all of them in a small matrix, otherwise evenly spaced windows. */
export function sampleWindows(nRows: number): readonly (readonly [number, number])[] {
  if (nRows <= FEW_ROWS) return nRows === 0 ? [] : [[0, nRows]];
  return Array.from({ length: WINDOWS }, (_, window) => {
    const begin = Math.floor((window * (nRows - ROWS_A_WINDOW)) / (WINDOWS - 1));
    return [begin, begin + ROWS_A_WINDOW] as const;
  });
}

/** A column-wise matrix read as the rows of its transpose: reading a few cells of it would read all of it. */
function withCheapRows(descriptor: MatrixDescriptor): { descriptor: MatrixDescriptor; hasWholeRows: boolean } {
  if (descriptor.kind !== 'csc') return { descriptor, hasWholeRows: true };
  const { nRows, nColumns } = descriptor;
  return { descriptor: { ...descriptor, kind: 'csr', nRows: nColumns, nColumns: nRows }, hasWholeRows: false };
}

/**
 * Judges the scale of a matrix from up to 512 of its rows.
 *
 * @param metadata - read with this matrix as the one whose descriptor is wanted
 * @throws CorruptDataError, UnsupportedDataError when the rows cannot be read
 */
export async function sampleMatrix(metadata: H5adMetadata, source: ByteSource): Promise<ScaleVerdict> {
  const judge = new ScaleJudge();
  if (metadata.descriptor === null) return judge.verdict();
  const { descriptor, hasWholeRows } = withCheapRows(metadata.descriptor);
  const rows = openRowSource(descriptor, source);
  for (const [begin, end] of sampleWindows(descriptor.nRows)) {
    for await (const block of rows.blocks(begin, end, MAX_BLOCK_NONZEROS)) judge.addBlock(block, hasWholeRows);
  }
  const verdict = judge.verdict();
  // An empty column is a gene that nobody expresses, not an empty cell.
  return hasWholeRows ? verdict : { ...verdict, emptyRows: 0 };
}
