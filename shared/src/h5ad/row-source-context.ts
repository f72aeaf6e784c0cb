import { CorruptDataError } from '../errors/index.js';
import { PLAIN_ARRAYS, type RowArrays } from '../matrix/index.js';
import type { ByteSource } from '../storage/index.js';
import type { ChunkStreamOptions } from './decode/index.js';
import type { RawChunkListener, RowSourceOptions } from './types.js';

const DEFAULT_RANGE_BYTES = 8 << 20;
const DEFAULT_BAND_BYTES = 256 << 20;

/** The options of a row source with every default filled in. */
export interface RowSourceContext {
  readonly source: ByteSource;
  readonly label: string;
  readonly rangeBytes: number;
  readonly bandBytes: number;
  readonly onRawChunk: RawChunkListener | undefined;
  readonly arrays: RowArrays;
}

export function rowSourceContext(source: ByteSource, options: RowSourceOptions): RowSourceContext {
  return {
    source,
    label: options.label ?? source.uri,
    rangeBytes: options.rangeBytes ?? DEFAULT_RANGE_BYTES,
    bandBytes: options.bandBytes ?? DEFAULT_BAND_BYTES,
    onRawChunk: options.onRawChunk,
    arrays: options.arrays ?? PLAIN_ARRAYS,
  };
}

/** How the chunks of one of a matrix's datasets are read. */
export function streamOptions(context: RowSourceContext, dataset: 'data' | 'indices'): ChunkStreamOptions {
  const { source, label, rangeBytes, onRawChunk } = context;
  const onStoredChunk =
    onRawChunk === undefined ? undefined : (chunk: number, bytes: Uint8Array) => onRawChunk(dataset, chunk, bytes);
  return { source, label, rangeBytes, onStoredChunk };
}

/** Reports a row whose content cannot be. */
export function corruptRow(context: RowSourceContext, path: string, row: number, reason: string): never {
  throw new CorruptDataError(`${context.label} is damaged: row ${row} of ${path} ${reason}`, {
    hint: 'write the file again with anndata, calling sum_duplicates() on the matrix first',
    details: { path: context.label, dataset: path, row },
  });
}
