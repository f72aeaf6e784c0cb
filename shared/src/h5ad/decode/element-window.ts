import type { DatasetDescriptor } from '../types.js';
import { chunkMapOf, type ChunkMap } from './chunk-map.js';
import type { ChunkStream, ChunkStreamOptions } from './chunk-stream-contract.js';
import { openChunkStream } from './chunk-stream.js';
import { ElementConverter, isSameRepresentation, type ElementArray } from './element-converter.js';

/**
 * A window that slides forward over a one-dimensional dataset.
 *
 * Chunks are decoded straight into the window's array when the stored type is the one computed with; otherwise by way of
 * one chunk of scratch. What the caller has not used yet is moved to the front, so that every chunk is decoded once.
 */
export class ElementWindow<T extends ElementArray> {
  /** Element of the dataset at `array[0]`. */
  private base: number;
  /** One after the last decoded element, a multiple of the chunk or beyond the end. */
  private decodedEnd: number;
  private bytes: Uint8Array;
  private readonly scratch: { readonly bytes: Uint8Array; readonly converter: ElementConverter } | null;

  private constructor(
    private array: T,
    private readonly allocate: (length: number) => T,
    private readonly map: ChunkMap,
    private readonly stream: ChunkStream,
    firstElement: number,
    scratch: ElementWindow<T>['scratch'],
  ) {
    this.base = firstElement;
    this.decodedEnd = firstElement;
    this.bytes = bytesOf(array);
    this.scratch = scratch;
  }

  /**
   * @param begin - first element that will be asked for
   * @param end - one after the last
   * @param allocate - makes arrays of the type that elements are wanted in
   */
  static async open<T extends ElementArray>(
    dataset: DatasetDescriptor,
    begin: number,
    end: number,
    allocate: (length: number) => T,
    options: ChunkStreamOptions,
  ): Promise<ElementWindow<T>> {
    const map = chunkMapOf(dataset);
    const [chunkLength] = map.chunkShape;
    const first = Math.floor(begin / chunkLength);
    const count = end > begin ? Math.ceil(end / chunkLength) - first : 0;
    const chunks = Float64Array.from({ length: count }, (_, i) => first + i);
    const stream = await openChunkStream(dataset, map, chunks, options);
    const array = allocate(0);
    let scratch: ElementWindow<T>['scratch'] = null;
    if (!isSameRepresentation(dataset.type, array)) {
      const bytes = new Uint8Array(map.chunkBytes);
      scratch = { bytes, converter: new ElementConverter(dataset.type, bytes.buffer) };
    }
    return new ElementWindow(array, allocate, map, stream, first * chunkLength, scratch);
  }

  /**
   * Elements [begin, end) of the dataset; must not begin before an earlier call's. The array is the window's own: it may
   * be changed, and is valid until the next call.
   */
  async slice(begin: number, end: number): Promise<T> {
    if (end <= begin) return this.array.subarray(0, 0) as T;
    this.slideTo(begin, end);
    const [chunkLength] = this.map.chunkShape;
    while (this.decodedEnd < end) {
      const at = this.decodedEnd - this.base;
      if (this.scratch === null) {
        const width = this.array.BYTES_PER_ELEMENT;
        await this.stream.nextInto(this.bytes.subarray(at * width, (at + chunkLength) * width));
      } else {
        await this.stream.nextInto(this.scratch.bytes);
        this.scratch.converter.copy(0, chunkLength, this.array, at);
      }
      this.decodedEnd += chunkLength;
    }
    return this.array.subarray(begin - this.base, end - this.base) as T;
  }

  close(): void {
    this.stream.close();
  }

  /** Drops what lies before `begin` and makes room for the chunks up to `end`. */
  private slideTo(begin: number, end: number): void {
    const [chunkLength] = this.map.chunkShape;
    const newBase = Math.min(begin, this.decodedEnd);
    const chunksToCome = Math.max(0, Math.ceil((end - this.decodedEnd) / chunkLength));
    const needed = this.decodedEnd - newBase + chunksToCome * chunkLength;
    const kept = this.array.subarray(newBase - this.base, this.decodedEnd - this.base);
    if (needed > this.array.length) {
      // One more chunk of room, so that windows of similar size do not allocate again.
      this.array = this.allocate(needed + chunkLength);
      this.bytes = bytesOf(this.array);
      this.array.set(kept);
    } else if (newBase > this.base) {
      this.array.copyWithin(0, newBase - this.base, this.decodedEnd - this.base);
    }
    this.base = newBase;
  }
}

const bytesOf = (array: ElementArray): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
