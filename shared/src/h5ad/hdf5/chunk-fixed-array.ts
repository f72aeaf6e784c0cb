import type { ArrayEntries } from './array-index.js';
import { ByteCursor } from './byte-cursor.js';
import type { Hdf5Bytes } from './hdf5-bytes.js';

const HEADER_BYTES = 28;
/** Signature, version, client and the address of the header. */
const BLOCK_PREFIX_BYTES = 14;
const CHECKSUM_BYTES = 4;

/**
 * Reads a fixed array of chunks: what HDF5 1.10 and later write for datasets that cannot grow.
 *
 * @source HDF5 File Format Specification 4.0, section VIII.B
 */
export async function readFixedArray(
  file: Hdf5Bytes,
  address: number,
  entries: ArrayEntries,
  path: string,
): Promise<void> {
  const what = `the chunk index of ${path}`;
  const header = new ByteCursor(await file.read(address, HEADER_BYTES), what);
  header.expect('FAHD');
  header.skip(2);
  const entryBytes = header.u8();
  const pageEntries = 2 ** header.u8();
  const count = header.u64();
  const blockAddress = header.u64();
  if (blockAddress < 0) return;
  const pages = count > pageEntries ? Math.ceil(count / pageEntries) : 0;
  const bitmapBytes = Math.ceil(pages / 8);
  const length = BLOCK_PREFIX_BYTES + bitmapBytes + count * entryBytes + (pages + 1) * CHECKSUM_BYTES;
  const block = new ByteCursor(await file.read(blockAddress, length), what);
  block.expect('FADB');
  block.position = BLOCK_PREFIX_BYTES;
  const last = Math.min(count, entries.count);
  if (pages === 0) {
    for (let entry = 0; entry < last; entry++) entries.take(block, entryBytes, entry);
    return;
  }
  const bitmap = block.slice(bitmapBytes);
  const firstPage = block.position + CHECKSUM_BYTES;
  for (let page = 0; page < pages; page++) {
    if (!isPageWritten(bitmap, page)) continue;
    block.position = firstPage + page * (pageEntries * entryBytes + CHECKSUM_BYTES);
    const end = Math.min(last, (page + 1) * pageEntries);
    for (let entry = page * pageEntries; entry < end; entry++) entries.take(block, entryBytes, entry);
  }
}

/** Pages are counted from the most significant bit of the first byte. */
export const isPageWritten = (bitmap: Uint8Array, page: number): boolean =>
  (bitmap[page >> 3] & (0x80 >> (page & 7))) !== 0;
