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
  type ChunkIndexLocation,
  type Dataspace,
} from './messages.js';
import { MESSAGE, readObjectHeader } from './object-header.js';

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
export async function readDatasetDescriptor(file: Hdf5Bytes, address: number, path: string): Promise<DatasetDescriptor> {
  const messages = await readObjectHeader(file, address, `the header of ${path}`);
  const optional = (type: number): Uint8Array | null => {
    const message = messages.find((candidate) => candidate.type === type);
    if (message?.shared === true) {
      throw new UnsupportedDataError(`${path} shares its description with other datasets`, {
        hint: 'read and write the file once with anndata',
        details: { path },
      });
    }
    return message?.body ?? null;
  };
  const required = (type: number): Uint8Array => {
    const body = optional(type);
    if (body === null) throw new CorruptDataError(`${path} is not a dataset`, { details: { path } });
    return body;
  };
  const space = parseDataspace(required(MESSAGE.dataspace), path);
  const type = parseScalarType(required(MESSAGE.datatype), path);
  const layout = parseLayout(required(MESSAGE.layout), path);
  const filterBody = optional(MESSAGE.filters);
  const filters = filterBody === null ? [] : parseFilters(filterBody, path);
  const fill = optional(MESSAGE.fillValue);
  const oldFill = fill === null ? optional(MESSAGE.oldFillValue) : null;
  const fillBody = fill ?? oldFill;
  const fillValue = fillBody === null ? null : parseFillValue(fillBody, fill === null, path);
  return {
    path,
    type,
    shape: space.shape,
    filters,
    layout: await resolveLayout(file, layout, space, type.bytes, filters, path),
    fillValue: fillValue?.length === type.bytes ? fillValue : null,
  };
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
