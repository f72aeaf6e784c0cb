import { constants, copyFile, stat } from 'node:fs/promises';
import { InvariantBrokenError, ShardexError, toShardexError, UnsupportedDataError } from '../errors/index.js';
import { writeDensePlaceholder, writeDict, writeNumericColumn } from './write-anndata-elements.js';
import { aligned, DenseMatrices } from './write-dense-matrices.js';
import { Hdf5Skeleton } from './write-hdf5-skeleton.js';
import {
  patchEndOfFile,
  prepareHeaders,
  readContiguousAddress,
  readEndOfFile,
  type HeaderPositions,
} from './write-object-header.js';
import { readH5adMetadata } from './read-h5ad-metadata.js';
import { TemporaryFile } from './write-temporary-file.js';
import type { MatrixDtype, MatrixRows } from './write-types.js';

/** What is added to an AnnData file, or replaced where it is there already. */
export interface H5adAdditions {
  /** Rows and columns of the layers. */
  readonly shape: readonly [rows: number, columns: number];
  readonly layers: readonly { readonly name: string; readonly dtype: MatrixDtype }[];
  /** Columns of obs. */
  readonly obs: Readonly<Record<string, Float64Array>>;
  /** Dictionaries of uns. One that is there already must have the same fields. */
  readonly uns: Readonly<Record<string, Readonly<Record<string, string | number>>>>;
}

/** A file with a superblock of version 0 has the format that this writer makes and can change. */
const SUPERBLOCK_AT = 8;
/** Headers, names and values of what is added. */
const SMALL_BYTES = 1 << 16;

/**
 * Adds layers, columns of obs and dictionaries of uns to an AnnData file, in a copy that takes its name on `close`. Nothing
 * else of the file changes: every other array keeps its bytes.
 *
 * Cost: one copy of the file (none on file systems that share blocks between copies) and one write of the layers.
 */
export class H5adFileExtension {
  private constructor(
    private readonly file: TemporaryFile,
    private readonly headers: ReadonlyMap<string, HeaderPositions>,
    private readonly dense: DenseMatrices,
    private readonly endOfFile: number,
  ) {}

  /**
   * Copies the file and makes room for the layers.
   *
   * @throws UnsupportedDataError for a file that HDF5 wrote in a later format, or something to be replaced that has
   *   another type or shape
   * @throws ResourceExhaustedError when the disk has no room for the copy
   */
  static async create(path: string, additions: H5adAdditions): Promise<H5adFileExtension> {
    const { obsColumns } = await readH5adMetadata(path, { varNames: false });
    const dense = new DenseMatrices();
    for (const { name, dtype } of additions.layers) dense.add(`layers/${name}`, dtype, ...additions.shape);
    const file = await TemporaryFile.create(path);
    try {
      await file.requireRoom((await stat(path)).size + dense.bytes + SMALL_BYTES);
      await copyFile(path, file.temporaryPath, constants.COPYFILE_FICLONE);
      await requireFormat(file);
      const columns = obsColumns.map(({ name }) => name);
      const { addresses, present } = await writeSmallParts(file, additions, dense, columns);
      const headers = await prepareHeaders(file, addresses);
      const places = new Map<string, number>();
      for (const layer of present) {
        const header = headers.get(`/${layer}`) as HeaderPositions;
        places.set(layer, await readContiguousAddress(file, header, layer));
      }
      const end = dense.place(await file.sizeBytes(), places);
      return new H5adFileExtension(file, headers, dense, aligned(end));
    } catch (error) {
      await file.discard();
      throw error instanceof ShardexError ? error : toShardexError(error, `writing ${path}`);
    }
  }

  /** Writes rows of an added layer, as `H5adWriter.writeRows` does. */
  async writeRows(layer: string, rowBegin: number, data: MatrixRows): Promise<void> {
    await this.dense.writeRows(this.file, `layers/${layer}`, rowBegin, data);
  }

  /** Completes the copy, syncs it and gives it the file's name. @throws InvariantBrokenError when a row is missing */
  async close(): Promise<void> {
    try {
      await this.dense.patch(this.file, (path) => {
        const header = this.headers.get(`/${path}`);
        if (header === undefined) throw new InvariantBrokenError(`the skeleton has no dataset ${path}`);
        return header;
      });
      await patchEndOfFile(this.file, this.endOfFile);
      await this.file.use((handle) => handle.truncate(this.endOfFile));
      await this.file.commit();
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  /** Removes the copy; harmless after `close`. */
  abort(): Promise<void> {
    return this.file.discard();
  }
}

/** @returns the headers' addresses of everything that was made, and the layers that were there already */
async function writeSmallParts(
  file: TemporaryFile,
  { shape, obs, uns }: H5adAdditions,
  dense: DenseMatrices,
  columns: readonly string[],
): Promise<{ addresses: Map<string, number>; present: string[] }> {
  const present: string[] = [];
  const hdf5 = await Hdf5Skeleton.reopen(file.temporaryPath, file.path);
  try {
    for (const [path, dtype] of dense.entries()) {
      if (hdf5.has(`/${path}`)) {
        hdf5.existing(`/${path}`, dtype, shape);
        present.push(path);
      } else writeDensePlaceholder(hdf5, path, dtype);
    }
    for (const [name, values] of Object.entries(obs)) {
      if (columns.includes(name)) hdf5.replaceNumeric(`/obs/${name}`, values, [values.length]);
      else writeNumericColumn(hdf5, `/obs/${name}`, values);
    }
    const added = Object.keys(obs).filter((name) => !columns.includes(name));
    if (added.length > 0) hdf5.replaceStringArrayAttribute('/obs', 'column-order', [...columns, ...added]);
    for (const [name, fields] of Object.entries(uns)) {
      if (!hdf5.has(`/uns/${name}`)) writeDict(hdf5, `/uns/${name}`, fields);
      else for (const [field, value] of Object.entries(fields)) replaceField(hdf5, `/uns/${name}/${field}`, value);
    }
  } catch (error) {
    throw hdf5.abandon(error);
  }
  return { addresses: hdf5.close(), present };
}

function replaceField(hdf5: Hdf5Skeleton, path: string, value: string | number): void {
  if (typeof value === 'string') hdf5.replaceString(path, value);
  else hdf5.replaceNumeric(path, new Float64Array([value]), []);
}

async function requireFormat(file: TemporaryFile): Promise<void> {
  const [version] = await file.readAt(SUPERBLOCK_AT, 1);
  if (version === 0 && (await readEndOfFile(file)) === (await file.sizeBytes())) return;
  throw new UnsupportedDataError(`${file.path} is not in the HDF5 format that shardex writes`, {
    hint: 'run "shardex de" again, and keep what other programs write in a file of its own',
  });
}
