import type { ByteSource } from '../../storage/index.js';

/** The decoded chunks of one dataset, in a given order, each of them once. */
export interface ChunkStream {
  /**
   * Decodes the next chunk.
   *
   * @param target - receives the elements, little-endian and row-major within the chunk; `chunkBytes` long. Beyond the
   *   dataset's edge its content is undefined.
   * @throws CorruptDataError naming dataset and chunk
   */
  nextInto(target: Uint8Array): Promise<void>;
  close(): void;
}

/** Where the chunks come from and how they are read. */
export interface ChunkStreamOptions {
  readonly source: ByteSource;
  readonly label: string;
  readonly rangeBytes: number;
  /** Called with each chunk's stored bytes. */
  readonly onStoredChunk?: ((chunk: number, bytes: Uint8Array) => void) | undefined;
}
