import type { ByteCursor } from './byte-cursor.js';
import { UNDEFINED } from './byte-cursor.js';
import type { ChunkTable } from './chunk-table.js';

/** Reads the entries of fixed and extensible arrays, which number the chunks in an order of their own. */
export class ArrayEntries {
  /** Chunks that may exist in each dimension, slowest first; the growing dimension, if any, is put first. */
  private readonly order: readonly number[];
  private readonly extents: readonly number[];
  private readonly isTableOrder: boolean;
  /** One more than the highest entry that can matter. */
  readonly count: number;

  /**
   * @param maxShape - the dataset may grow to this; `UNDEFINED` is without bound
   * @param filtered - entries also hold size and mask
   * @param chunkBytes - of a chunk that has not been filtered
   */
  constructor(
    private readonly table: ChunkTable,
    maxShape: readonly number[],
    private readonly filtered: boolean,
    private readonly chunkBytes: number,
  ) {
    const growing = maxShape.indexOf(UNDEFINED);
    const dimensions = table.grid.map((_, d) => d);
    this.order = growing > 0 ? [growing, ...dimensions.filter((d) => d !== growing)] : dimensions;
    this.extents = this.order.map((d) =>
      d === growing ? table.grid[d] : Math.max(table.grid[d], Math.ceil(maxShape[d] / table.chunkShape[d])),
    );
    // How far the slowest dimension may grow does not change the numbers of those that are there.
    this.isTableOrder = this.order.every((d, i) => d === i && (i === 0 || this.extents[i] === table.grid[i]));
    this.count = this.extents.reduce((product, n) => product * n, 1);
  }

  /** Consumes one entry of `entryBytes` and records the chunk numbered `entry` in the array. */
  take(cursor: ByteCursor, entryBytes: number, entry: number): void {
    const address = cursor.u64();
    const bytes = this.filtered ? cursor.unsigned(entryBytes - 12) : this.chunkBytes;
    const mask = this.filtered ? cursor.u32() : 0;
    this.table.set(this.positionOf(entry), address, bytes, mask);
  }

  /** Records a chunk that needs no entry because it lies where its number says. */
  place(entry: number, address: number): void {
    this.table.set(this.positionOf(entry), address, this.chunkBytes, 0);
  }

  private positionOf(entry: number): number {
    if (this.isTableOrder) return entry;
    const place = new Array<number>(this.order.length);
    let rest = entry;
    for (let i = this.order.length - 1; i >= 0; i--) {
      place[this.order[i]] = rest % this.extents[i];
      rest = Math.floor(rest / this.extents[i]);
    }
    return this.table.positionOf(place);
  }
}
