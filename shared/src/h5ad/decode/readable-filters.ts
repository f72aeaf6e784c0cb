import { UnsupportedDataError } from '../../errors/index.js';
import { filterName } from '../hdf5/index.js';
import { DECODED_FILTERS } from './chunk-decoder.js';

/** Filters that plugins of the HDF5 library undo: bzip2, blosc, lz4, bitshuffle, zstd, blosc2. */
const LIBRARY_FILTERS = new Set([307, 32001, 32004, 32008, 32015, 32026]);

/**
 * Lets through what h5ad files are compressed with. Other filters that the library or its plugins know, such as nbit and
 * scaleoffset, are not run at all: crafted parameters make them read and write beyond their buffers.
 *
 * @param ids - registered numbers of a dataset's filters
 * @param label - of the file, for error messages
 * @throws UnsupportedDataError for other filters
 * @source CVE-2025-2308, CVE-2026-19026, CVE-2026-19029
 */
export function refuseForeignFilters(ids: readonly number[], label: string, path: string): void {
  const foreign = ids.find((id) => !DECODED_FILTERS.has(id) && !LIBRARY_FILTERS.has(id));
  if (foreign === undefined) return;
  throw new UnsupportedDataError(`${label}: ${path} is compressed with ${filterName(foreign)}, which is not read`, {
    hint: 'write it again with compression="gzip"',
    details: { path: label, dataset: path, filter: foreign },
  });
}
