import type { ArrayEntries } from './array-index.js';
import { ByteCursor } from './byte-cursor.js';
import { isPageWritten } from './chunk-fixed-array.js';
import type { Hdf5Bytes } from './hdf5-bytes.js';

const HEADER_BYTES = 72;
const STATISTICS_BYTES = 48;
/** Signature, version, client and the address of the header. */
const BLOCK_PREFIX_BYTES = 14;
const CHECKSUM_BYTES = 4;

/** Parameters of the array, from its header. */
interface Shape {
  readonly entryBytes: number;
  readonly indexEntries: number;
  readonly minBlockEntries: number;
  readonly minPointers: number;
  readonly pageEntries: number;
  /** Bytes of a block's own offset, stored in its prefix. */
  readonly offsetBytes: number;
  readonly superBlocks: number;
  readonly indexAddress: number;
}

interface DataBlock {
  readonly address: number;
  readonly firstEntry: number;
  readonly entries: number;
  /** Which pages are written, and the number of this block's first page in there; null when the block is not paged. */
  readonly pages: { readonly bitmap: Uint8Array; readonly first: number } | null;
}

interface SuperBlock {
  readonly address: number;
  readonly firstEntry: number;
  readonly order: number;
}

/**
 * Reads an extensible array of chunks: what HDF5 1.10 and later write for datasets that grow in one dimension.
 *
 * Entries are held by the index block itself, by data blocks it points to, and by data blocks that super blocks
 * point to. Super block u has 2^⌊u/2⌋ data blocks of 2^⌈u/2⌉ · minBlockEntries entries.
 *
 * @source HDF5 File Format Specification 4.0, section VIII.C; the order of the page bits is that of H5EA__lookup_elmt in
 *   H5EA.c (HDF5 1.14)
 */
export async function readExtensibleArray(
  file: Hdf5Bytes,
  address: number,
  entries: ArrayEntries,
  path: string,
): Promise<void> {
  const what = `the chunk index of ${path}`;
  const shape = parseHeader(new ByteCursor(await file.read(address, HEADER_BYTES), what));
  if (shape.indexAddress < 0) return;
  const { direct, supers } = await readIndexBlock(file, shape, entries, what);
  const nested = await readSuperBlocks(file, shape, supers, what);
  await readDataBlocks(file, shape, [...direct, ...nested], entries, what);
}

function parseHeader(header: ByteCursor): Shape {
  header.expect('EAHD');
  header.skip(2);
  const entryBytes = header.u8();
  const maxBits = header.u8();
  const indexEntries = header.u8();
  const minBlockEntries = header.u8();
  const minPointers = header.u8();
  const pageEntries = 2 ** header.u8();
  header.skip(STATISTICS_BYTES);
  if (minBlockEntries < 1 || minPointers < 1) throw header.corrupt('has impossible parameters');
  return {
    entryBytes,
    indexEntries,
    minBlockEntries,
    minPointers,
    pageEntries,
    offsetBytes: Math.ceil(maxBits / 8),
    superBlocks: 1 + maxBits - log2(minBlockEntries),
    indexAddress: header.u64(),
  };
}

const log2 = (powerOfTwo: number): number => Math.round(Math.log2(powerOfTwo));
const blocksOf = (order: number): number => 2 ** (order >> 1);
const entriesOf = (order: number, shape: Shape): number => 2 ** ((order + 1) >> 1) * shape.minBlockEntries;

async function readIndexBlock(
  file: Hdf5Bytes,
  shape: Shape,
  entries: ArrayEntries,
  what: string,
): Promise<{ direct: DataBlock[]; supers: SuperBlock[] }> {
  const blockPointers = 2 * (shape.minPointers - 1);
  const directOrders = 2 * log2(shape.minPointers);
  const superPointers = Math.max(0, shape.superBlocks - directOrders);
  const length =
    BLOCK_PREFIX_BYTES + shape.indexEntries * shape.entryBytes + 8 * (blockPointers + superPointers) + CHECKSUM_BYTES;
  const block = new ByteCursor(await file.read(shape.indexAddress, length), what);
  block.expect('EAIB');
  block.position = BLOCK_PREFIX_BYTES;
  for (let entry = 0; entry < shape.indexEntries; entry++) entries.take(block, shape.entryBytes, entry);
  let firstEntry = shape.indexEntries;
  const direct: DataBlock[] = [];
  for (let order = 0; order < Math.min(directOrders, shape.superBlocks); order++) {
    for (let k = 0; k < blocksOf(order); k++) {
      direct.push({ address: block.u64(), firstEntry, entries: entriesOf(order, shape), pages: null });
      firstEntry += entriesOf(order, shape);
    }
  }
  const supers: SuperBlock[] = [];
  // What lies beyond the present extent does not matter, and its numbers soon exceed 2^53.
  for (let order = directOrders; order < shape.superBlocks && firstEntry < entries.count; order++) {
    supers.push({ address: block.u64(), firstEntry, order });
    firstEntry += blocksOf(order) * entriesOf(order, shape);
  }
  return { direct, supers: supers.filter(({ address }) => address >= 0) };
}

async function readSuperBlocks(
  file: Hdf5Bytes,
  shape: Shape,
  supers: readonly SuperBlock[],
  what: string,
): Promise<DataBlock[]> {
  const pagesOf = (order: number): number => {
    const perBlock = entriesOf(order, shape);
    return perBlock > shape.pageEntries ? perBlock / shape.pageEntries : 0;
  };
  const bitmapBytes = (order: number): number => Math.ceil(pagesOf(order) / 8);
  const prefix = BLOCK_PREFIX_BYTES + shape.offsetBytes;
  const reads = supers.map(({ address, order }) => ({
    address,
    length: prefix + blocksOf(order) * (bitmapBytes(order) + 8) + CHECKSUM_BYTES,
  }));
  const found: DataBlock[] = [];
  (await file.readMany(reads)).forEach((bytes, i) => {
    const { order, firstEntry } = supers[i];
    const block = new ByteCursor(bytes, what);
    block.expect('EASB');
    block.position = prefix;
    // Room is left for whole bytes a block, but the library numbers the pages of all blocks consecutively.
    const bitmap = block.slice(blocksOf(order) * bitmapBytes(order));
    const perBlock = entriesOf(order, shape);
    for (let k = 0; k < blocksOf(order); k++) {
      const pages = pagesOf(order) > 0 ? { bitmap, first: k * pagesOf(order) } : null;
      found.push({ address: block.u64(), firstEntry: firstEntry + k * perBlock, entries: perBlock, pages });
    }
  });
  return found;
}

async function readDataBlocks(
  file: Hdf5Bytes,
  shape: Shape,
  blocks: readonly DataBlock[],
  entries: ArrayEntries,
  what: string,
): Promise<void> {
  const { entryBytes, pageEntries } = shape;
  const prefix = BLOCK_PREFIX_BYTES + shape.offsetBytes;
  const written = blocks.filter(({ address, firstEntry }) => address >= 0 && firstEntry < entries.count);
  const reads = written.map((block) => {
    const checksums = block.pages === null ? 1 : 1 + Math.ceil(block.entries / pageEntries);
    return { address: block.address, length: prefix + block.entries * entryBytes + checksums * CHECKSUM_BYTES };
  });
  (await file.readMany(reads)).forEach((bytes, i) => {
    const { firstEntry, pages, entries: blockEntries } = written[i];
    const block = new ByteCursor(bytes, what);
    block.expect('EADB');
    const end = Math.min(entries.count, firstEntry + blockEntries);
    if (pages === null) {
      block.position = prefix;
      for (let entry = firstEntry; entry < end; entry++) entries.take(block, entryBytes, entry);
      return;
    }
    for (let page = 0; page * pageEntries < end - firstEntry; page++) {
      if (!isPageWritten(pages.bitmap, pages.first + page)) continue;
      block.position = prefix + CHECKSUM_BYTES + page * (pageEntries * entryBytes + CHECKSUM_BYTES);
      const first = firstEntry + page * pageEntries;
      const last = Math.min(end, first + pageEntries);
      for (let entry = first; entry < last; entry++) entries.take(block, entryBytes, entry);
    }
  });
}
