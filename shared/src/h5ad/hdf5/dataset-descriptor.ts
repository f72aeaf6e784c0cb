import { CorruptDataError, UnsupportedDataError } from '../../errors/index.js';
import type { DatasetDescriptor, DatasetLayout, FilterStep } from '../types.js';
import { ArrayEntries } from './array-index.js';
import { readBtree1 } from './chunk-btree1.js';
import { readBtree2 } from './chunk-btree2.js';
import { readExtensibleArray } from './chunk-extensible-array.js';
import { readFixedArray } from './chunk-fixed-array.js';
import { ChunkTable } from './chunk-table.js';
import type { Hdf5Bytes } from './hdf5-bytes.js';
import {
  parseDataspace,
  parseFillValue,
  parseFilters,
  parseLayout,
  parseScalarType,
  valuesElsewhere,
  type ChunkIndexLocation,
  type Dataspace,
} from './messages.js';
import { MESSAGE, readObjectHeader, type HeaderMessage } from './object-header.js';

/**
 * Reads all that is needed to read a dataset by byte ranges alone: type, extent, filters and where every chunk is.
 *
 * Costs one read for the header and, for 65,536 chunks, about 2.5 MB of index.
 *
 * @param address - of the object header, as an HDF5 object reference holds it
 * @param path - of the dataset, for error messages
 * @throws CorruptDataError when header or index are damaged
 * @throws UnsupportedDataError for types and layouts that are not read
 */
export async function readDatasetDescriptor(
  file: Hdf5Bytes,
  address: number,
  path: string,
): Promise<DatasetDescriptor> {
  const header = await DatasetHeader.read(file, address, path);
  const type = parseScalarType(header.required(MESSAGE.datatype), path);
  const { space, filters, layout } = await header.storage(file, type.bytes);
  const fillValue = header.fillValue();
  return {
    path,
    type,
    shape: space.shape,
    filters,
    layout,
    fillValue: fillValue?.length === type.bytes ? fillValue : null,
  };
}

/** Bytes of a reference to a string of variable length. */
const REFERENCE_BYTES = 16;

/**
 * The same for strings of variable length: an array of bytes, with the references to the strings as its rows.
 */
export async function readStringReferences(file: Hdf5Bytes, address: number, path: string): Promise<DatasetDescriptor> {
  const header = await DatasetHeader.read(file, address, path);
  const { space, filters, layout } = await header.storage(file, REFERENCE_BYTES);
  return {
    path,
    type: { kind: 'uint', bytes: 1, littleEndian: true },
    shape: [...space.shape, REFERENCE_BYTES],
    filters,
    layout: layout.kind === 'chunked' ? { ...layout, chunkShape: [...layout.chunkShape, REFERENCE_BYTES] } : layout,
    fillValue: null,
  };
}

/** The messages of a dataset's header. */
class DatasetHeader {
  private constructor(
    private readonly messages: readonly HeaderMessage[],
    private readonly path: string,
  ) {}

  static async read(file: Hdf5Bytes, address: number, path: string): Promise<DatasetHeader> {
    return new DatasetHeader(await readObjectHeader(file, address, `the header of ${path}`), path);
  }

  required(type: number): Uint8Array {
    const body = this.optional(type);
    if (body === null) throw new CorruptDataError(`${this.path} is not a dataset`, { details: { path: this.path } });
    return body;
  }

  fillValue(): Uint8Array | null {
    const body = this.optional(MESSAGE.fillValue);
    if (body !== null) return parseFillValue(body, false, this.path);
    const old = this.optional(MESSAGE.oldFillValue);
    return old === null ? null : parseFillValue(old, true, this.path);
  }

  async storage(
    file: Hdf5Bytes,
    elementBytes: number,
  ): Promise<{ space: Dataspace; filters: FilterStep[]; layout: DatasetLayout }> {
    if (this.optional(MESSAGE.externalFiles) !== null) throw valuesElsewhere(this.path);
    const space = parseDataspace(this.required(MESSAGE.dataspace), this.path);
    const layout = parseLayout(this.required(MESSAGE.layout), this.path);
    const body = this.optional(MESSAGE.filters);
    const filters = body === null ? [] : parseFilters(body, this.path);
    return { space, filters, layout: await resolveLayout(file, layout, space, elementBytes, filters, this.path) };
  }

  private optional(type: number): Uint8Array | null {
    const message = this.messages.find((candidate) => candidate.type === type);
    if (message?.shared === true) {
      throw new UnsupportedDataError(`${this.path} shares its description with other datasets`, {
        hint: 'read and write the file once with anndata',
        details: { path: this.path },
      });
    }
    return message?.body ?? null;
  }
}

async function resolveLayout(
  file: Hdf5Bytes,
  layout: ReturnType<typeof parseLayout>,
  space: Dataspace,
  elementBytes: number,
  filters: readonly FilterStep[],
  path: string,
): Promise<DatasetLayout> {
  if (layout.kind === 'compact') return layout;
  if (layout.kind === 'contiguous') {
    return { kind: 'contiguous', address: layout.address < 0 ? -1 : file.base + layout.address };
  }
  const { index } = layout;
  if (index.elementBytes !== elementBytes) {
    throw new CorruptDataError(`${path} has chunks of elements of another size than its type`, { details: { path } });
  }
  const table = new ChunkTable(space.shape, index.chunkShape, file.base, path);
  if (index.address >= 0 && table.count > 0) await readIndex(file, index, table, space, filters.length > 0);
  if (index.edgeChunksUnfiltered) table.markEdgeChunksUnfiltered();
  const { chunkShape, offsets, sizes, masks } = table;
  return { kind: 'chunked', chunkShape, offsets, sizes, masks };
}

async function readIndex(
  file: Hdf5Bytes,
  index: ChunkIndexLocation,
  table: ChunkTable,
  space: Dataspace,
  filtered: boolean,
): Promise<void> {
  const chunkBytes = index.chunkShape.reduce((product, edge) => product * edge, index.elementBytes);
  const entries = new ArrayEntries(table, space.maxShape, filtered, chunkBytes);
  switch (index.kind) {
    case 'btree1':
      return readBtree1(file, index.address, table);
    case 'btree2':
      return readBtree2(file, index.address, table, chunkBytes);
    case 'fixed-array':
      return readFixedArray(file, index.address, entries, table.path);
    case 'extensible-array':
      return readExtensibleArray(file, index.address, entries, table.path);
    case 'single':
      table.set(0, index.address, index.single?.bytes ?? chunkBytes, index.single?.mask ?? 0);
      return;
    case 'implicit':
      for (let entry = 0; entry < entries.count; entry++) entries.place(entry, index.address + entry * chunkBytes);
  }
}
