import { bytesOf, type OverflowFile } from './overflow-file.js';

/** All runs together have so many values in memory until they are written: 8 MiB. */
const BUFFERED_VALUES = 2 ** 20;
/** More of one run at a time would make writing no faster. */
const MOST_OF_A_RUN = 8192;
/** Read at a time: 512 KiB. */
const PIECE_VALUES = 2 ** 16;

/**
 * Values on a file, in runs whose sizes are known before: `add` them in any order, `seal`, then read run by run.
 */
export class ValueRuns {
  private readonly begins: Float64Array;
  private readonly written: Float64Array;
  private readonly pending: Uint32Array;
  private readonly perRun: number;
  private buffer: Float64Array;

  /** @param sizes - values of each run */
  constructor(
    private readonly file: OverflowFile,
    private readonly sizes: ArrayLike<number>,
  ) {
    this.begins = new Float64Array(sizes.length);
    for (let run = 1; run < sizes.length; run++) this.begins[run] = this.begins[run - 1] + sizes[run - 1];
    this.written = new Float64Array(sizes.length);
    this.pending = new Uint32Array(sizes.length);
    this.perRun = Math.max(1, Math.min(MOST_OF_A_RUN, Math.floor(BUFFERED_VALUES / sizes.length)));
    this.buffer = new Float64Array(this.perRun * sizes.length);
  }

  get heldBytes(): number {
    return this.buffer.byteLength;
  }

  sizeOf(run: number): number {
    return this.sizes[run];
  }

  add(run: number, value: number): void {
    const { pending, perRun } = this;
    this.buffer[run * perRun + pending[run]] = value;
    if (++pending[run] === perRun) this.flush(run);
  }

  /** Ends adding. */
  seal(): void {
    for (let run = 0; run < this.sizes.length; run++) this.flush(run);
    this.buffer = new Float64Array(0);
  }

  /** Shows a run to `look`, a piece at a time; the array is used again for the next one. */
  read(run: number, look: (values: Float64Array) => void): void {
    const size = this.sizes[run];
    const piece = new Float64Array(Math.min(size, PIECE_VALUES));
    for (let begin = 0; begin < size; begin += piece.length) {
      const values = piece.subarray(0, Math.min(piece.length, size - begin));
      this.file.read(bytesOf(values), 8 * (this.begins[run] + begin));
      look(values);
    }
  }

  close(): void {
    this.file.close();
  }

  private flush(run: number): void {
    const { buffer, perRun, pending, written } = this;
    const values = buffer.subarray(run * perRun, run * perRun + pending[run]);
    if (values.length > 0) this.file.write(bytesOf(values), 8 * (this.begins[run] + written[run]));
    written[run] += values.length;
    pending[run] = 0;
  }
}
