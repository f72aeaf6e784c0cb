import { CorruptDataError } from '../errors/index.js';
import type { TemporaryFile } from './write-temporary-file.js';

/** Message types. @source HDF5 File Format Specification 4.0, section IV.A.2 */
const DATASPACE = 0x01;
const LAYOUT = 0x08;
const CONTINUATION = 0x10;
const MODIFICATION_TIME = 0x12;

const PREFIX_BYTES = 16;
const MESSAGE_PREFIX_BYTES = 8;
/** Offset of the end-of-file address in a superblock of version 0. */
const END_OF_FILE_AT = 40;

/** Absolute positions of the message bodies this writer changes. */
export interface HeaderPositions {
  readonly dataspace: number;
  readonly layout: number;
  /** null when the object keeps no time. */
  readonly modificationTime: number | null;
}

/**
 * Finds the messages of a version 1 object header that h5wasm has just written.
 *
 * @throws CorruptDataError when the header is not what `libver=earliest` writes
 * @source HDF5 File Format Specification 4.0, section IV.A.1.a
 */
export async function locateMessages(file: TemporaryFile, address: number, path: string): Promise<HeaderPositions> {
  const prefix = await file.readAt(address, PREFIX_BYTES);
  if (prefix[0] !== 1) throw unexpected(path, 'object header');
  const blocks = [{ begin: address + PREFIX_BYTES, length: prefix.readUInt32LE(8) }];
  const found = new Map<number, number>();
  for (const block of blocks) {
    const bytes = await file.readAt(block.begin, block.length);
    for (let at = 0; at + MESSAGE_PREFIX_BYTES <= block.length;) {
      const type = bytes.readUInt16LE(at);
      const size = bytes.readUInt16LE(at + 2);
      at += MESSAGE_PREFIX_BYTES;
      if (type === CONTINUATION) blocks.push({ begin: readAddress(bytes, at), length: readAddress(bytes, at + 8) });
      else found.set(type, block.begin + at);
      at += size;
    }
  }
  const dataspace = found.get(DATASPACE);
  const layout = found.get(LAYOUT);
  if (dataspace === undefined || layout === undefined) throw unexpected(path, 'list of messages');
  return { dataspace, layout, modificationTime: found.get(MODIFICATION_TIME) ?? null };
}

/** Finds the messages of every dataset's header and clears its time stamp. @param addresses - of the headers, by path */
export async function prepareHeaders(
  file: TemporaryFile,
  addresses: ReadonlyMap<string, number>,
): Promise<Map<string, HeaderPositions>> {
  const headers = new Map<string, HeaderPositions>();
  for (const [path, address] of addresses) {
    const header = await locateMessages(file, address, path);
    headers.set(path, header);
    await clearModificationTime(file, header);
  }
  return headers;
}

/** HDF5 stamps every dataset with the time; equal input has to give equal bytes, so the stamp becomes 1970. */
async function clearModificationTime(file: TemporaryFile, header: HeaderPositions): Promise<void> {
  if (header.modificationTime !== null) await file.writeAt(new Uint8Array(4), header.modificationTime + 4);
}

/** Gives a dataset its final dimensions; the limits follow where they are not unlimited. */
export async function patchDimensions(
  file: TemporaryFile,
  header: HeaderPositions,
  path: string,
  shape: readonly number[],
): Promise<void> {
  const head = await file.readAt(header.dataspace, 8);
  if (head[0] !== 1 || head[1] !== shape.length) throw unexpected(path, 'dataspace');
  const dimensions = Buffer.alloc(8 * shape.length);
  shape.forEach((size, i) => writeAddress(dimensions, 8 * i, size));
  await file.writeAt(dimensions, header.dataspace + 8);
  if ((head[2] & 1) === 0) return;
  const limitsAt = header.dataspace + 8 + dimensions.length;
  const limits = await file.readAt(limitsAt, dimensions.length);
  const unlimited = limits.every((byte) => byte === 0xff);
  if (!unlimited) await file.writeAt(dimensions, limitsAt);
}

/** Points a contiguous dataset at its bytes. */
export async function patchContiguousLayout(
  file: TemporaryFile,
  header: HeaderPositions,
  path: string,
  address: number,
  sizeBytes: number,
): Promise<void> {
  const head = await file.readAt(header.layout, 2);
  if (head[0] !== 3 || head[1] !== 1) throw unexpected(path, 'contiguous layout');
  const body = Buffer.alloc(16);
  writeAddress(body, 0, sizeBytes === 0 ? -1 : address);
  writeAddress(body, 8, sizeBytes);
  await file.writeAt(body, header.layout + 2);
}

/** Where the bytes of a contiguous dataset lie. */
export async function readContiguousAddress(
  file: TemporaryFile,
  header: HeaderPositions,
  path: string,
): Promise<number> {
  const layout = await file.readAt(header.layout, 10);
  if (layout[0] !== 3 || layout[1] !== 1) throw unexpected(path, 'contiguous layout');
  return readAddress(layout, 2);
}

/** Points a chunked dataset at the root of its chunk index. */
export async function patchChunkIndex(
  file: TemporaryFile,
  header: HeaderPositions,
  path: string,
  rootAddress: number,
): Promise<void> {
  const head = await file.readAt(header.layout, 3);
  if (head[0] !== 3 || head[1] !== 2) throw unexpected(path, 'chunked layout');
  const body = Buffer.alloc(8);
  writeAddress(body, 0, rootAddress);
  await file.writeAt(body, header.layout + 3);
}

/**
 * Reads the end of the file as its superblock states it.
 *
 * @throws CorruptDataError when this is no superblock of version 0
 */
export async function readEndOfFile(file: TemporaryFile): Promise<number> {
  const superblock = await file.readAt(0, END_OF_FILE_AT + 8);
  if (superblock.readUInt32BE(0) !== 0x89484446 || superblock[8] !== 0) throw unexpected('the file', 'superblock');
  return readAddress(superblock, END_OF_FILE_AT);
}

export async function patchEndOfFile(file: TemporaryFile, endOfFile: number): Promise<void> {
  const body = Buffer.alloc(8);
  writeAddress(body, 0, endOfFile);
  await file.writeAt(body, END_OF_FILE_AT);
}

/** Writes an address or length of 8 bytes; −1 is HDF5's "undefined". Exact up to 2^53. */
export function writeAddress(bytes: Buffer, at: number, value: number): void {
  if (value < 0) bytes.fill(0xff, at, at + 8);
  else bytes.writeBigUInt64LE(BigInt(value), at);
}

const readAddress = (bytes: Buffer, at: number): number => Number(bytes.readBigUInt64LE(at));

const unexpected = (path: string, what: string): CorruptDataError =>
  new CorruptDataError(`h5wasm wrote an unexpected ${what} for ${path}`, {
    hint: 'this version of h5wasm is not supported',
    details: { path },
  });
