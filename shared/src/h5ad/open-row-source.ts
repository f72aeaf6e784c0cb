import { InvalidInputError } from '../errors/index.js';
import type { CsrBlock, RowSource } from '../matrix/index.js';
import type { ByteSource } from '../storage/index.js';
import { CscRowSource } from './read-csc.js';
import { CsrRowSource } from './read-csr.js';
import { DenseRowSource } from './read-dense.js';
import { rowSourceContext } from './row-source-context.js';
import type { MatrixDescriptor, RowSourceOptions } from './types.js';

/**
 * The rows of a matrix of an h5ad file, read by byte ranges: the HDF5 library takes no part, except for the rarer
 * compressions (blosc, lz4, zstd, bitshuffle, bzip2).
 *
 * Ranges of up to `rangeBytes` are fetched one ahead of the one being decoded. A matrix stored by columns is read whole
 * for every range of rows: see `CscRowSource`.
 *
 * @param descriptor - from `readH5adMetadata`, of the same version of the file
 * @param source - the file; stays open
 * @throws CorruptDataError while iterating, naming the file and the row or chunk
 * @throws UnsupportedDataError while iterating, for filters that are not read (scale-offset, n-bit, szip, zfp)
 */
export function openRowSource(
  descriptor: MatrixDescriptor,
  source: ByteSource,
  options: RowSourceOptions = {},
): RowSource {
  const context = rowSourceContext(source, options);
  switch (descriptor.kind) {
    case 'csr':
      return new CheckedRange(new CsrRowSource(descriptor, context));
    case 'csc':
      return new CheckedRange(new CscRowSource(descriptor, context));
    case 'dense':
      return new CheckedRange(new DenseRowSource(descriptor, context));
  }
}

/** Refuses ranges of rows that the matrix does not have, which would otherwise read past the end of an array. */
class CheckedRange implements RowSource {
  readonly nRows: number;
  readonly nColumns: number;

  constructor(private readonly rows: RowSource) {
    this.nRows = rows.nRows;
    this.nColumns = rows.nColumns;
  }

  blocks(rowBegin: number, rowEnd: number, maxNonzeros: number): AsyncIterable<CsrBlock> {
    const isRange = Number.isInteger(rowBegin) && Number.isInteger(rowEnd) && rowBegin >= 0 && rowBegin <= rowEnd;
    if (!isRange || rowEnd > this.nRows) {
      throw new InvalidInputError(`rows ${rowBegin} to ${rowEnd} are not within a matrix of ${this.nRows} rows`);
    }
    return this.rows.blocks(rowBegin, rowEnd, maxNonzeros);
  }
}
