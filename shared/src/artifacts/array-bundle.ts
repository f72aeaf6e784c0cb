import { CorruptDataError, InvariantBrokenError, type ShardexError } from '../errors/index.js';
import { unifyNans } from '../matrix/index.js';
import type { ByteSource } from '../storage/index.js';
import { crc32 } from './checksum.js';

/** The array types a bundle can hold. */
export type BundleArray =
  Float64Array | Float32Array | Int32Array | Uint32Array | Uint16Array | Uint8Array | BigInt64Array;

const CONSTRUCTORS = {
  f64: Float64Array,
  f32: Float32Array,
  i32: Int32Array,
  u32: Uint32Array,
  u16: Uint16Array,
  u8: Uint8Array,
  i64: BigInt64Array,
} as const;
type Dtype = keyof typeof CONSTRUCTORS;

const dtypeOf = (array: BundleArray): Dtype => {
  for (const [name, constructor] of Object.entries(CONSTRUCTORS))
    if (array instanceof constructor) return name as Dtype;
  throw new InvariantBrokenError('this array type cannot be stored in a bundle');
};

interface ArrayEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly length: number;
  /** From the start of the object, in bytes; a multiple of 64. */
  readonly offset: number;
  /** CRC-32 of each CHECK_BYTES block. */
  readonly crc: readonly number[];
}

/** "SHX" and the format's version: a file of another version is refused, never misread. */
const MAGIC = 0x31584853;
const ALIGNMENT = 64;
/** Granularity of the checksums: a range read verifies every block it touches. */
const CHECK_BYTES = 256 * 1024;
const PREFIX_BYTES = 12;

const aligned = (offset: number): number => Math.ceil(offset / ALIGNMENT) * ALIGNMENT;
const bytesOf = (array: BundleArray): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/**
 * Lays named arrays and a JSON header out as the parts of one object, ready for `ObjectStore.commit`.
 *
 * Layout (little-endian): magic u32, header bytes u32, header CRC-32 u32, header JSON, then each array at a multiple of
 * 64 bytes. Equal input gives equal bytes: NaNs get the same bits, in the arrays themselves. The parts alias the arrays:
 * commit them before changing anything.
 */
export function encodeBundle(meta: unknown, arrays: Readonly<Record<string, BundleArray>>): Uint8Array[] {
  const names = Object.keys(arrays);
  for (const name of names) unifyNans(arrays[name]);
  const checks = names.map((name) => {
    const bytes = bytesOf(arrays[name]);
    const crc: number[] = [];
    for (let at = 0; at < bytes.length; at += CHECK_BYTES) crc.push(crc32(bytes.subarray(at, at + CHECK_BYTES)));
    return crc;
  });
  // Offsets are relative to the end of the header, so that their digits do not change the header's own length.
  let offset = 0;
  const entries: ArrayEntry[] = names.map((name, i) => {
    const array = arrays[name];
    const entry = { name, dtype: dtypeOf(array), length: array.length, offset, crc: checks[i] };
    offset = aligned(offset + array.byteLength);
    return entry;
  });
  const json = new TextEncoder().encode(JSON.stringify({ meta, arrays: entries }));
  const headerBytes = aligned(PREFIX_BYTES + json.length);
  const header = new Uint8Array(headerBytes);
  const view = new DataView(header.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, json.length, true);
  view.setUint32(8, crc32(json), true);
  header.set(json, PREFIX_BYTES);
  const parts: Uint8Array[] = [header];
  for (const name of names) {
    const bytes = bytesOf(arrays[name]);
    parts.push(bytes);
    const padding = aligned(bytes.length) - bytes.length;
    if (padding > 0) parts.push(new Uint8Array(padding));
  }
  return parts;
}

/** Makes the error for a damaged part of a bundle. */
export type DamageReport = (source: ByteSource, where: string) => ShardexError;

/** Reads a bundle's header once and its arrays, whole or in part, on demand: it is as long as it says, and every byte returned has been checked. */
export class BundleReader<Meta> {
  private constructor(
    private readonly source: ByteSource,
    readonly meta: Meta,
    private readonly entries: ReadonlyMap<string, ArrayEntry>,
    private readonly base: number,
    private readonly damage: DamageReport,
  ) {}

  /**
   * @param damage - makes the error for bytes that are not what was written; CorruptDataError unless told otherwise
   * @throws what `damage` makes when this is not a whole bundle of this version
   */
  static async open<Meta>(source: ByteSource, damage: DamageReport = corrupt): Promise<BundleReader<Meta>> {
    const prefix = new Uint8Array(PREFIX_BYTES);
    await source.readInto(0, prefix);
    const view = new DataView(prefix.buffer);
    const jsonBytes = view.getUint32(4, true);
    if (view.getUint32(0, true) !== MAGIC || PREFIX_BYTES + jsonBytes > source.sizeBytes)
      throw damage(source, 'header');
    const json = new Uint8Array(jsonBytes);
    await source.readInto(PREFIX_BYTES, json);
    if (crc32(json) !== view.getUint32(8, true)) throw damage(source, 'header');
    const header = JSON.parse(new TextDecoder().decode(json)) as { meta: Meta; arrays: ArrayEntry[] };
    const entries = new Map(header.arrays.map((entry) => [entry.name, entry]));
    const base = aligned(PREFIX_BYTES + jsonBytes);
    const ends = header.arrays.map(
      ({ dtype, offset, length }) => offset + length * CONSTRUCTORS[dtype].BYTES_PER_ELEMENT,
    );
    if (source.sizeBytes < base + Math.max(0, ...ends)) throw damage(source, 'length');
    return new BundleReader(source, header.meta, entries, base, damage);
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  /** Number of elements of an array. */
  lengthOf(name: string): number {
    return this.entry(name).length;
  }

  async f64(name: string, begin?: number, end?: number): Promise<Float64Array> {
    return (await this.read(name, 'f64', begin, end)) as Float64Array;
  }
  async f32(name: string, begin?: number, end?: number): Promise<Float32Array> {
    return (await this.read(name, 'f32', begin, end)) as Float32Array;
  }
  async i32(name: string, begin?: number, end?: number): Promise<Int32Array> {
    return (await this.read(name, 'i32', begin, end)) as Int32Array;
  }
  async u32(name: string, begin?: number, end?: number): Promise<Uint32Array> {
    return (await this.read(name, 'u32', begin, end)) as Uint32Array;
  }
  async u8(name: string, begin?: number, end?: number): Promise<Uint8Array> {
    return (await this.read(name, 'u8', begin, end)) as Uint8Array;
  }
  async i64(name: string, begin?: number, end?: number): Promise<BigInt64Array> {
    return (await this.read(name, 'i64', begin, end)) as BigInt64Array;
  }

  /**
   * Reads a whole f64 array into memory that is there already, in the kernel heap for one.
   *
   * @param target - as long as the array
   */
  async f64Into(name: string, target: Float64Array): Promise<void> {
    await this.readWhole(this.entry(name, 'f64'), target);
  }
  async u32Into(name: string, target: Uint32Array): Promise<void> {
    await this.readWhole(this.entry(name, 'u32'), target);
  }
  async i64Into(name: string, target: BigInt64Array): Promise<void> {
    await this.readWhole(this.entry(name, 'i64'), target);
  }

  /** Bytes that `u8Into` takes for elements [begin, end): whole checked blocks. */
  roomForU8(name: string, begin: number, end: number): number {
    const [first, last] = checkedBlocks(this.entry(name, 'u8'), begin, end);
    return last - first;
  }

  /**
   * Reads elements of a u8 array into memory that is there already.
   *
   * @param room - at least `roomForU8` bytes
   * @returns the part of `room` that holds them
   */
  async u8Into(name: string, begin: number, end: number, room: Uint8Array): Promise<Uint8Array> {
    const entry = this.entry(name, 'u8');
    const [first, last] = checkedBlocks(entry, begin, end);
    await this.readBlocks(entry, first, room.subarray(0, last - first));
    return room.subarray(begin - first, end - first);
  }

  async close(): Promise<void> {
    await this.source.close();
  }

  private entry(name: string, dtype?: Dtype): ArrayEntry {
    const entry = this.entries.get(name);
    if (entry === undefined) {
      throw new InvariantBrokenError(`${this.source.uri} holds no array "${name}"`, {
        details: { present: [...this.entries.keys()].join(',') },
      });
    }
    if (dtype !== undefined && entry.dtype !== dtype) {
      throw new InvariantBrokenError(`array "${name}" is ${entry.dtype}, not ${dtype}`);
    }
    return entry;
  }

  private async read(name: string, dtype: Dtype, begin = 0, end?: number): Promise<BundleArray> {
    const entry = this.entry(name, dtype);
    const constructor = CONSTRUCTORS[dtype];
    const width = constructor.BYTES_PER_ELEMENT;
    const byteBegin = begin * width;
    const byteEnd = (end ?? entry.length) * width;
    // Whole blocks are read and verified; then the part is handed out that was asked for.
    const [blockBegin, blockEnd] = checkedBlocks(entry, byteBegin, byteEnd);
    const bytes = new Uint8Array(Math.max(0, blockEnd - blockBegin));
    await this.readBlocks(entry, blockBegin, bytes);
    return new constructor(bytes.buffer, byteBegin - blockBegin, (byteEnd - byteBegin) / width);
  }

  private async readWhole(entry: ArrayEntry, target: BundleArray): Promise<void> {
    if (target.length !== entry.length) {
      throw new InvariantBrokenError(`array "${entry.name}" has ${entry.length} elements, not ${target.length}`);
    }
    await this.readBlocks(entry, 0, bytesOf(target));
  }

  /** Reads and verifies the array's bytes from `blockBegin` on, whole checked blocks up to its end. */
  private async readBlocks({ name, offset, crc }: ArrayEntry, blockBegin: number, target: Uint8Array): Promise<void> {
    const where = `array "${name}"`;
    if (target.length > 0) await this.source.readInto(this.base + offset + blockBegin, target);
    for (let at = 0; at < target.length; at += CHECK_BYTES) {
      const expected = crc[(blockBegin + at) / CHECK_BYTES];
      if (crc32(target.subarray(at, at + CHECK_BYTES)) !== expected) throw this.damage(this.source, where);
    }
  }
}

/** First and end byte of the checked blocks that hold an array's bytes [begin, end). */
const checkedBlocks = ({ dtype, length }: ArrayEntry, begin: number, end: number): readonly [number, number] => [
  Math.floor(begin / CHECK_BYTES) * CHECK_BYTES,
  Math.min(Math.ceil(end / CHECK_BYTES) * CHECK_BYTES, length * CONSTRUCTORS[dtype].BYTES_PER_ELEMENT),
];

const corrupt = (source: ByteSource, where: string): CorruptDataError =>
  new CorruptDataError(`${source.uri} is damaged (${where})`, {
    hint: 'delete the scratch folder and run again',
    details: { path: source.uri },
  });
