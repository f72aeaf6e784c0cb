import type { DatasetDescriptor } from '../types.js';

/** Size of the pieces in which a dataset without chunks is read. */
const PIECE_BYTES = 1 << 20;

/** A dataset as a grid of equal pieces, however it is laid out in the file. */
export interface ChunkMap {
  readonly chunkShape: readonly number[];
  /** Pieces in each dimension. */
  readonly grid: readonly number[];
  readonly count: number;
  /** Bytes of a whole decoded piece. */
  readonly chunkBytes: number;
  /** Address of a piece; −1 when it was never written. */
  offsetOf(chunk: number): number;
  /** Bytes of a piece as stored. */
  sizeOf(chunk: number): number;
  maskOf(chunk: number): number;
  /** The whole dataset, when it lies within its own header. */
  readonly inline: Uint8Array | null;
}

/** The pieces of a dataset: its chunks, about a megabyte of whole rows each, or all of it. */
export function chunkMapOf({ shape, type, layout }: DatasetDescriptor): ChunkMap {
  const size = shape.reduce((product, extent) => product * extent, type.bytes);
  if (layout.kind === 'chunked') {
    const { chunkShape, offsets, sizes, masks } = layout;
    return {
      ...gridOf(shape, chunkShape, type.bytes),
      offsetOf: (chunk) => offsets[chunk],
      sizeOf: (chunk) => sizes[chunk],
      maskOf: (chunk) => masks[chunk],
      inline: null,
    };
  }
  if (layout.kind === 'compact') {
    return {
      ...gridOf(shape, shape, type.bytes),
      offsetOf: () => -1,
      sizeOf: () => size,
      maskOf: () => 0,
      inline: layout.bytes,
    };
  }
  const { address } = layout;
  const lineBytes = shape.slice(1).reduce((product, extent) => product * extent, type.bytes);
  const lines = Math.max(1, Math.floor(PIECE_BYTES / Math.max(1, lineBytes)));
  const pieces = gridOf(shape, [lines, ...shape.slice(1)], type.bytes);
  return {
    ...pieces,
    offsetOf: (piece) => (address < 0 ? -1 : address + piece * pieces.chunkBytes),
    sizeOf: (piece) => Math.min(pieces.chunkBytes, size - piece * pieces.chunkBytes),
    maskOf: () => 0,
    inline: null,
  };
}

function gridOf(
  shape: readonly number[],
  chunkShape: readonly number[],
  elementBytes: number,
): Pick<ChunkMap, 'chunkShape' | 'grid' | 'count' | 'chunkBytes'> {
  const edges = chunkShape.map((edge) => Math.max(1, edge));
  const grid = shape.map((extent, d) => Math.ceil(extent / edges[d]));
  return {
    chunkShape: edges,
    grid,
    count: grid.reduce((product, n) => product * n, 1),
    chunkBytes: edges.reduce((product, edge) => product * edge, elementBytes),
  };
}
