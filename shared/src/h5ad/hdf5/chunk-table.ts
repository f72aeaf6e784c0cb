import { CorruptDataError } from '../../errors/index.js';

/** More chunks than any real dataset has: 2^28 chunk records would be 4 GB. */
const MAX_CHUNKS = 2 ** 28;
const ALL_FILTERS_SKIPPED = 0xffffffff;

/** Collects where each chunk of a dataset is, in row-major order of the grid of chunks. */
export class ChunkTable {
  /** Chunks in each dimension. */
  readonly grid: readonly number[];
  readonly count: number;
  readonly offsets: Float64Array;
  readonly sizes: Uint32Array;
  readonly masks: Uint32Array;

  /**
   * @param base - added to every address
   * @param path - of the dataset, for error messages
   */
  constructor(
    readonly shape: readonly number[],
    readonly chunkShape: readonly number[],
    private readonly base: number,
    readonly path: string,
  ) {
    if (shape.length !== chunkShape.length || chunkShape.some((edge) => edge < 1)) {
      throw new CorruptDataError(`${path} has chunks of another rank than itself`, { details: { path } });
    }
    this.grid = shape.map((extent, d) => Math.ceil(extent / chunkShape[d]));
    this.count = this.grid.reduce((product, n) => product * n, 1);
    if (this.count > MAX_CHUNKS) {
      throw new CorruptDataError(`${path} claims to have ${this.count} chunks`, { details: { path } });
    }
    this.offsets = new Float64Array(this.count).fill(-1);
    this.sizes = new Uint32Array(this.count);
    this.masks = new Uint32Array(this.count);
  }

  /** Records a chunk; one that was never written or lies outside the extent is left out. */
  set(chunk: number, address: number, bytes: number, mask: number): void {
    if (address < 0 || chunk < 0 || chunk >= this.count) return;
    this.offsets[chunk] = this.base + address;
    this.sizes[chunk] = bytes;
    this.masks[chunk] = mask;
  }

  /** Position in the table of a chunk given by its place in the grid; −1 outside the extent. */
  positionOf(place: readonly number[]): number {
    let position = 0;
    for (let d = 0; d < this.grid.length; d++) {
      if (place[d] < 0 || place[d] >= this.grid[d]) return -1;
      position = position * this.grid[d] + place[d];
    }
    return position;
  }

  /** Notes that chunks reaching beyond the extent are stored as they are. */
  markEdgeChunksUnfiltered(): void {
    for (let chunk = 0; chunk < this.count; chunk++) {
      let rest = chunk;
      for (let d = this.grid.length - 1; d >= 0; d--) {
        const place = rest % this.grid[d];
        rest = Math.floor(rest / this.grid[d]);
        if ((place + 1) * this.chunkShape[d] > this.shape[d]) this.masks[chunk] = ALL_FILTERS_SKIPPED;
      }
    }
  }
}
