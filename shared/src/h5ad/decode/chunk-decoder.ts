import { CorruptDataError } from '../../errors/index.js';
import type { FilterStep } from '../types.js';
import { exchangedFletcher32, fletcher32 } from './fletcher32.js';
import { sharedInflater, type Inflater } from './inflater.js';
import { decompressLzf } from './lzf.js';
import { unshuffle } from './unshuffle.js';

/** Registered numbers of the filters that are decoded here. */
const GZIP = 1;
const SHUFFLE = 2;
const FLETCHER32 = 3;
const LZF = 32000;
const CHECKSUM_BYTES = 4;

export const DECODED_FILTERS: ReadonlySet<number> = new Set([GZIP, SHUFFLE, FLETCHER32, LZF]);

/** Whether every step can be undone here rather than by the HDF5 library. */
export const isDecodable = (filters: readonly FilterStep[]): boolean =>
  filters.every(({ id }) => DECODED_FILTERS.has(id));

/** Undoes the filters of chunks of one dataset; the last step writes straight into the destination. */
export class ChunkDecoder {
  private readonly inflater: Inflater = sharedInflater();
  /** Two intermediate results, used in turn; made when they are first needed. */
  private readonly scratch: (Uint8Array | undefined)[] = [undefined, undefined];
  /** Bytes that enter each step when it is applied, which is what undoing it yields; unknown after compression. */
  private readonly inputBytes: number[] = [];

  /**
   * @param chunkBytes - of a decoded chunk
   * @param label - of the file, for error messages
   * @param path - of the dataset, for error messages
   */
  constructor(
    private readonly filters: readonly FilterStep[],
    private readonly elementBytes: number,
    private readonly chunkBytes: number,
    private readonly label: string,
    private readonly path: string,
  ) {
    let bytes = chunkBytes;
    for (const { id } of filters) {
      this.inputBytes.push(bytes);
      if (id === FLETCHER32) bytes += CHECKSUM_BYTES;
    }
  }

  /**
   * @param stored - the chunk's bytes in the file
   * @param mask - bit i set: step i was skipped
   * @param chunk - its number, for error messages
   * @param target - filled to its last byte; `chunkBytes` long
   * @throws CorruptDataError naming dataset and chunk
   */
  decode(stored: Uint8Array, mask: number, chunk: number, target: Uint8Array): void {
    let current = stored;
    let pending = this.lastStep(this.filters.length, mask);
    while (pending >= 0) {
      const following = this.lastStep(pending, mask);
      current = this.undo(pending, current, chunk, following < 0 ? target : null);
      pending = following;
    }
    if (current === target) return;
    if (current.length !== this.chunkBytes) {
      throw this.corrupt(chunk, `has ${current.length} bytes instead of ${this.chunkBytes}`);
    }
    target.set(current);
  }

  /** The step before `step` that was not skipped, −1 when there is none. */
  private lastStep(step: number, mask: number): number {
    let candidate = step - 1;
    while (candidate >= 0 && ((mask >>> candidate) & 1) === 1) candidate--;
    return candidate;
  }

  private undo(step: number, input: Uint8Array, chunk: number, target: Uint8Array | null): Uint8Array {
    const { id, parameters } = this.filters[step];
    if (id === FLETCHER32) return this.verified(input, chunk);
    const output = target ?? this.scratchOf(step);
    if (id === SHUFFLE) {
      if (input.length !== output.length) {
        throw this.corrupt(chunk, `has ${input.length} bytes to unshuffle instead of ${output.length}`);
      }
      unshuffle(input, parameters[0] ?? this.elementBytes, output);
      return output;
    }
    const problem = id === GZIP ? this.inflater.inflate(input, output) : decompressLzf(input, output);
    if (problem !== null) throw this.corrupt(chunk, `cannot be decompressed: ${problem}`);
    return output;
  }

  private scratchOf(step: number): Uint8Array {
    const bytes = this.inputBytes[step];
    let buffer = this.scratch[step & 1];
    if (buffer === undefined || buffer.length < bytes) {
      buffer = new Uint8Array(this.chunkBytes + CHECKSUM_BYTES * this.filters.length);
      this.scratch[step & 1] = buffer;
    }
    return buffer.subarray(0, bytes);
  }

  private verified(input: Uint8Array, chunk: number): Uint8Array {
    const end = input.length - CHECKSUM_BYTES;
    if (end < 0) throw this.corrupt(chunk, 'is too short for its checksum');
    const expected = new DataView(input.buffer, input.byteOffset + end).getUint32(0, true);
    const content = input.subarray(0, end);
    const found = fletcher32(content);
    if (found !== expected && exchangedFletcher32(found) !== expected) {
      throw this.corrupt(chunk, 'does not match its checksum');
    }
    return content;
  }

  private corrupt(chunk: number, reason: string): CorruptDataError {
    return new CorruptDataError(`${this.label} is damaged: chunk ${chunk} of ${this.path} ${reason}`, {
      hint: 'copy the file again, or write it again with anndata',
      details: { path: this.label, dataset: this.path, chunk },
    });
  }
}
