import { ByteCursor } from './byte-cursor.js';
import type { Hdf5Bytes } from './hdf5-bytes.js';

/** Message types used here. @source HDF5 File Format Specification 4.0, section IV.A.2 */
export const MESSAGE = {
  dataspace: 1,
  datatype: 3,
  oldFillValue: 4,
  fillValue: 5,
  externalFiles: 7,
  layout: 8,
  filters: 11,
} as const;
const CONTINUATION = 0x10;
/** Flag of a message whose body lies elsewhere. */
const SHARED = 2;
/** A header has a handful of blocks; more than this is a cycle. */
const MAX_BLOCKS = 1000;
/** Covers the header of an ordinary dataset, so that one read is enough. */
const FIRST_READ_BYTES = 512;

export interface HeaderMessage {
  readonly type: number;
  /** The body is a reference to a message stored elsewhere. */
  readonly shared: boolean;
  readonly body: Uint8Array;
}

interface HeaderBlock {
  readonly bytes: Uint8Array;
  readonly begin: number;
  readonly end: number;
}

/**
 * The messages of an object header (version 1 or 2), continuation blocks included.
 *
 * @param what - for error messages: "the header of X/data"
 * @throws CorruptDataError when the bytes are no object header
 * @source HDF5 File Format Specification 4.0, section IV.A.1
 */
export async function readObjectHeader(file: Hdf5Bytes, address: number, what: string): Promise<HeaderMessage[]> {
  const bytes = await file.read(address, FIRST_READ_BYTES);
  return bytes[0] === 1 ? readVersion1(file, address, bytes, what) : readVersion2(file, address, bytes, what);
}

async function readVersion1(
  file: Hdf5Bytes,
  address: number,
  first: Uint8Array,
  what: string,
): Promise<HeaderMessage[]> {
  const cursor = new ByteCursor(first, what, 8);
  const size = cursor.u32();
  const begin = 16;
  const bytes = await atLeast(file, address, first, begin + size);
  const blocks: HeaderBlock[] = [{ bytes, begin, end: begin + size }];
  const messages: HeaderMessage[] = [];
  for (const block of blocks) {
    const body = new ByteCursor(block.bytes, what, block.begin);
    if (blocks.length > MAX_BLOCKS) throw body.corrupt('never ends');
    while (body.position + 8 <= block.end) {
      const type = body.u16();
      const length = body.u16();
      const flags = body.u8();
      body.skip(3);
      const continued = collect(messages, type, flags, body.slice(length), what);
      if (continued !== null) {
        const more = await file.read(continued.address, continued.length);
        blocks.push({ bytes: more, begin: 0, end: continued.length });
      }
    }
  }
  return messages;
}

async function readVersion2(
  file: Hdf5Bytes,
  address: number,
  first: Uint8Array,
  what: string,
): Promise<HeaderMessage[]> {
  const cursor = new ByteCursor(first, what);
  cursor.expect('OHDR');
  if (cursor.u8() !== 2) throw cursor.corrupt('has an unknown version');
  const flags = cursor.u8();
  if ((flags & 0x20) !== 0) cursor.skip(16); // four times
  if ((flags & 0x10) !== 0) cursor.skip(4); // attribute phase change
  const size = cursor.unsigned(2 ** (flags & 3));
  const begin = cursor.position;
  const messageHeaderBytes = (flags & 4) !== 0 ? 6 : 4; // with or without creation order
  const bytes = await atLeast(file, address, first, begin + size);
  const blocks: HeaderBlock[] = [{ bytes, begin, end: begin + size }];
  const messages: HeaderMessage[] = [];
  for (const block of blocks) {
    const body = new ByteCursor(block.bytes, what, block.begin);
    if (blocks.length > MAX_BLOCKS) throw body.corrupt('never ends');
    // What is left may be a gap too small for a message.
    while (body.position + messageHeaderBytes <= block.end) {
      const type = body.u8();
      const length = body.u16();
      const messageFlags = body.u8();
      body.skip(messageHeaderBytes - 4);
      const continued = collect(messages, type, messageFlags, body.slice(length), what);
      if (continued !== null) {
        const more = await file.read(continued.address, continued.length);
        new ByteCursor(more, what).expect('OCHK');
        blocks.push({ bytes: more, begin: 4, end: continued.length - 4 }); // signature in front, checksum behind
      }
    }
  }
  return messages;
}

/** Keeps a message, or says where the header goes on. */
function collect(
  messages: HeaderMessage[],
  type: number,
  flags: number,
  body: Uint8Array,
  what: string,
): { address: number; length: number } | null {
  if (type === CONTINUATION) {
    const cursor = new ByteCursor(body, what);
    return { address: cursor.u64(), length: cursor.u64() };
  }
  if (type !== 0) messages.push({ type, shared: (flags & SHARED) !== 0, body });
  return null;
}

async function atLeast(file: Hdf5Bytes, address: number, first: Uint8Array, length: number): Promise<Uint8Array> {
  return length <= first.length ? first : file.read(address, length);
}
