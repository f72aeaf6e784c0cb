import { InvalidInputError } from '../errors/index.js';
import { openByteSource } from '../storage/index.js';
import { Hdf5Bytes, VariableStrings } from './hdf5/index.js';
import { openH5adMetadata } from './read-h5ad-metadata.js';
import type { RowRange } from './types.js';

/** The names of a file's cells, read some at a time. */
export interface CellNames {
  /**
   * @returns the names of rows [begin, end)
   * @throws CorruptDataError when the file is damaged
   * @throws InvalidInputError when it is no longer the one that was described
   */
  read(rows: RowRange): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** What the file's description says. */
interface DescribedFile {
  /** `H5adMetadata.version`. */
  readonly version: string;
  /** `H5adMetadata.obsNamesAddress`. */
  readonly obsNamesAddress: number | null;
}

/**
 * Opens the names of a file's cells. Most are strings of variable length and are read by byte ranges in this thread, for about
 * 1 µs a name; others (of fixed length, categorical, rarely compressed) by the HDF5 library in a thread of its own, whose
 * start takes 0.3 s of a processor.
 *
 * @throws InvalidInputError when there is no such file, or it is no longer the one that was described
 */
export async function openCellNames(path: string, { version, obsNamesAddress }: DescribedFile): Promise<CellNames> {
  return obsNamesAddress === null ? byLibrary(path, version) : byRanges(path, version, obsNamesAddress);
}

function byLibrary(path: string, version: string): CellNames {
  const session = openH5adMetadata(path);
  return {
    async read(rows) {
      const found = await session.read({ obsNames: rows, varNames: false });
      requireVersion(path, version, found.version);
      return found.obsNames ?? [];
    },
    close: () => session.close(),
  };
}

async function byRanges(path: string, version: string, address: number): Promise<CellNames> {
  const source = await openByteSource(path);
  try {
    requireVersion(path, version, source.version);
    const names = await VariableStrings.open(await Hdf5Bytes.open(source), address, 'the names of the cells');
    return { read: (rows) => names.read(rows), close: () => source.close() };
  } catch (error) {
    await source.close();
    throw error;
  }
}

function requireVersion(path: string, described: string, found: string): void {
  if (found === described) return;
  throw new InvalidInputError(`${path} changed while the job was running`, {
    hint: 'run again once nothing writes to it',
  });
}
