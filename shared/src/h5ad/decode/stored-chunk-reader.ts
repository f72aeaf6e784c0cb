import { CorruptDataError } from '../../errors/index.js';
import type { ByteSource } from '../../storage/index.js';
import type { ChunkMap } from './chunk-map.js';
import { planRanges, type RangePlan, type ReadWindow } from './range-plan.js';
import { giveBuffer, takeBuffer } from './spare-buffers.js';

/**
 * Yields the stored bytes of a sequence of chunks in order, fetched in large ranges, one window ahead of its use.
 *
 * Two buffers take turns: what `next` returns is valid until the call after it. `close` lets the thread's next reader have them.
 */
export class StoredChunkReader {
  private readonly plan: RangePlan;
  private readonly sizes: Float64Array;
  private readonly buffers: Uint8Array<ArrayBuffer>[];
  /** The window being fetched ahead. */
  private ahead: Promise<void> | undefined;
  private window = -1;
  private position = 0;

  /**
   * @param chunks - numbers of the chunks in the order in which they are wanted
   * @throws CorruptDataError when a chunk lies outside the file
   */
  constructor(
    private readonly source: ByteSource,
    map: ChunkMap,
    chunks: ArrayLike<number>,
    windowBytes: number,
    label: string,
    path: string,
  ) {
    const offsets = Float64Array.from(chunks, (chunk) => map.offsetOf(chunk));
    this.sizes = Float64Array.from(chunks, (chunk) => map.sizeOf(chunk));
    for (let i = 0; i < chunks.length; i++) {
      if (offsets[i] + this.sizes[i] > source.sizeBytes) {
        throw new CorruptDataError(
          `${label} is damaged: chunk ${chunks[i]} of ${path} lies beyond the end of the file`,
          {
            hint: 'copy the file again',
            details: { path: label, dataset: path, chunk: chunks[i] },
          },
        );
      }
    }
    this.plan = planRanges(offsets, this.sizes, windowBytes);
    const largest = this.plan.windows.reduce((bytes, window) => Math.max(bytes, window.bytes), 0);
    this.buffers = [largest, this.plan.windows.length > 1 ? largest : 0].map(takeBuffer);
    this.fetchAhead();
  }

  /** The next chunk's stored bytes, null when it was never written. */
  async next(): Promise<Uint8Array | null> {
    const i = this.position++;
    const following = this.plan.windows[this.window + 1] as ReadWindow | undefined;
    if (following?.first === i) {
      await this.ahead;
      this.window++;
      this.fetchAhead();
    }
    const at = this.plan.positions[i];
    return at < 0 ? null : this.buffers[this.window & 1].subarray(at, at + this.sizes[i]);
  }

  /** Ends reading, and with it what `next` returned last. */
  close(): void {
    const given = this.buffers.splice(0);
    const give = (): void => given.forEach(giveBuffer);
    // A range that is still being fetched goes into one of them.
    void (this.ahead ?? Promise.resolve()).then(give, give);
  }

  private fetchAhead(): void {
    const next = this.window + 1;
    if (next >= this.plan.windows.length) return;
    const buffer = this.buffers[next & 1];
    const { ranges } = this.plan.windows[next];
    const reads = ranges.map(({ offset, length, at }) =>
      this.source.readInto(offset, buffer.subarray(at, at + length)),
    );
    this.ahead = Promise.all(reads).then(() => undefined);
    // A reader that is given up early never awaits this; a failure must then not end the process.
    this.ahead.catch(() => undefined);
  }
}
