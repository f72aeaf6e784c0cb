import { coalesceRanges } from '../../storage/index.js';
import { ChunkDecoder } from '../decode/chunk-decoder.js';
import { chunkMapOf, type ChunkMap } from '../decode/chunk-map.js';
import type { DatasetDescriptor, RowRange } from '../types.js';
import { ByteCursor, UNDEFINED } from './byte-cursor.js';
import { readStringReferences } from './dataset-descriptor.js';
import type { Hdf5Bytes } from './hdf5-bytes.js';

/** A reference to a string: its length, the address of a heap, its number there. */
const REFERENCE_BYTES = 16;
/** Usual size of a heap; larger ones are read a second time. */
const HEAP_BYTES = 4096;
const HEAP_HEADER_BYTES = 16;
const OBJECT_HEADER_BYTES = 16;
/** Heaps that lie as close together are read at once, up to so many bytes. */
const GAP_BYTES = 4 * HEAP_BYTES;
const READ_BYTES = 1 << 20;

/**
 * A list of strings of variable length, read by byte ranges without the HDF5 library: its LZF plugin aborts on them (it
 * guesses the size of a decompressed chunk from the size of a pointer and fails when the guess is too small), and loading
 * it costs more than reading 50,000 strings does.
 *
 * @source HDF5 File Format Specification 4.0, sections III.E (global heap) and IV.B
 */
export class VariableStrings {
  private readonly pieces: ChunkMap;
  private readonly decoder: ChunkDecoder;
  /** The piece that was decoded last: the next range may begin in it. */
  private latest = { piece: -1, references: new Uint8Array(0) };

  private constructor(
    private readonly file: Hdf5Bytes,
    private readonly dataset: DatasetDescriptor,
  ) {
    const { filters, path } = dataset;
    this.pieces = chunkMapOf(dataset);
    this.decoder = new ChunkDecoder(filters, REFERENCE_BYTES, this.pieces.chunkBytes, file.source.uri, path);
  }

  /**
   * @param address - of the dataset's object header
   * @param path - of the dataset, for error messages
   * @throws CorruptDataError when header or index are damaged
   */
  static async open(file: Hdf5Bytes, address: number, path: string): Promise<VariableStrings> {
    return new VariableStrings(file, await readStringReferences(file, address, path));
  }

  get count(): number {
    return this.dataset.shape[0];
  }

  /**
   * Strings [begin, end), which are within the list. Costs about 1 µs a string where heaps lie side by side, as they are written.
   *
   * @throws CorruptDataError when a string is not where it should be
   */
  async read({ begin, end }: RowRange): Promise<string[]> {
    const { path } = this.dataset;
    const references = new ByteCursor(await this.referencesOf(begin, end), `the strings of ${path}`);
    const places = Array.from({ length: end - begin }, () => ({
      length: references.u32(),
      heap: references.u64(),
      object: references.u32(),
    }));
    const wanted = new Set<number>();
    for (const { length, heap } of places) {
      if (length > 0 && heap === UNDEFINED) throw references.corrupt('point to nothing');
      if (length > 0) wanted.add(heap);
    }
    const heaps = await readHeaps(this.file, [...wanted], path);
    return places.map(({ length, heap, object }) => {
      if (length === 0) return '';
      const text = heaps.get(heap)?.text(object, length);
      if (text === undefined) throw references.corrupt('point to nothing');
      return text;
    });
  }

  private async referencesOf(begin: number, end: number): Promise<Uint8Array> {
    const wanted = new Uint8Array((end - begin) * REFERENCE_BYTES);
    const rows = this.pieces.chunkShape[0];
    for (let at = begin; at < end;) {
      const piece = Math.floor(at / rows);
      const until = Math.min(end, (piece + 1) * rows);
      const first = piece * rows * REFERENCE_BYTES;
      const part = (await this.decoded(piece)).subarray(at * REFERENCE_BYTES - first, until * REFERENCE_BYTES - first);
      wanted.set(part, (at - begin) * REFERENCE_BYTES);
      at = until;
    }
    return wanted;
  }

  /** The references of a piece; zeros, which are empty strings, where it was never written. */
  private async decoded(piece: number): Promise<Uint8Array> {
    const { pieces, dataset, file, decoder, latest } = this;
    if (pieces.inline !== null) return pieces.inline;
    if (latest.piece === piece) return latest.references;
    const references = new Uint8Array(pieces.chunkBytes);
    const address = pieces.offsetOf(piece);
    if (address >= 0) {
      const stored = new Uint8Array(pieces.sizeOf(piece));
      await file.source.readInto(address, stored);
      if (dataset.layout.kind === 'chunked') decoder.decode(stored, pieces.maskOf(piece), piece, references);
      else references.set(stored);
    }
    this.latest = { piece, references };
    return references;
  }
}

/** A heap of strings, by their numbers. */
class StringHeap {
  private readonly begins: (number | undefined)[] = [];
  private readonly ends: number[] = [];

  constructor(
    private readonly bytes: Buffer,
    cursor: ByteCursor,
    size: number,
  ) {
    while (cursor.position + OBJECT_HEADER_BYTES <= size) {
      const number = cursor.u16();
      cursor.skip(6); // number of references, reserved
      const length = cursor.u64();
      if (number === 0) break; // the free space at the end
      this.begins[number] = cursor.position;
      cursor.skip(length);
      this.ends[number] = cursor.position;
      cursor.position = Math.ceil(cursor.position / 8) * 8;
    }
  }

  /** The first `length` bytes of a string, or what comes before a zero; undefined when it is not there, or shorter. */
  text(number: number, length: number): string | undefined {
    const begin = this.begins[number];
    if (begin === undefined || begin + length > this.ends[number]) return undefined;
    const zero = this.bytes.indexOf(0, begin);
    return this.bytes.toString('utf8', begin, zero >= 0 && zero < begin + length ? zero : begin + length);
  }
}

/** The heaps at some addresses. */
async function readHeaps(
  file: Hdf5Bytes,
  addresses: readonly number[],
  path: string,
): Promise<Map<number, StringHeap>> {
  const ranges = addresses.map((offset) => ({ offset, length: HEAP_BYTES }));
  const merged = coalesceRanges(ranges, GAP_BYTES, READ_BYTES);
  const reads = await file.readMany(merged.map(({ offset, length }) => ({ address: offset, length })));
  const heaps = new Map<number, StringHeap>();
  for (const [i, { offset, wanted }] of merged.entries()) {
    for (const { offset: address } of wanted) {
      heaps.set(address, await readHeap(file, address, reads[i].subarray(address - offset), path));
    }
  }
  return heaps;
}

/** @param read - what was read from its address on */
async function readHeap(file: Hdf5Bytes, address: number, read: Uint8Array, path: string): Promise<StringHeap> {
  const what = `a heap of strings of ${path}`;
  const header = new ByteCursor(read, what);
  header.expect('GCOL');
  header.skip(4); // version, reserved
  const size = header.u64();
  const bytes = size <= read.length ? read : await file.read(address, size);
  const { buffer, byteOffset, byteLength } = bytes;
  return new StringHeap(
    Buffer.from(buffer, byteOffset, byteLength),
    new ByteCursor(bytes, what, HEAP_HEADER_BYTES),
    size,
  );
}
