import type { DatasetDescriptor } from '../types.js';
import { ChunkDecoder, isDecodable } from './chunk-decoder.js';
import type { ChunkMap } from './chunk-map.js';
import type { ChunkStream, ChunkStreamOptions } from './chunk-stream-contract.js';
import { swapBytes } from './element-converter.js';
import { LibraryChunkStream } from './library-chunk-stream.js';
import { refuseForeignFilters } from './readable-filters.js';
import { StoredChunkReader } from './stored-chunk-reader.js';

/**
 * Opens the way that the dataset's filters call for: our own decoder, or the HDF5 library with its plugins (several times
 * slower, local files only).
 *
 * @param chunks - numbers of the chunks wanted, in order
 * @throws UnsupportedDataError for other filters
 */
export async function openChunkStream(
  dataset: DatasetDescriptor,
  map: ChunkMap,
  chunks: ArrayLike<number>,
  options: ChunkStreamOptions,
): Promise<ChunkStream> {
  if (isDecodable(dataset.filters)) return new DirectChunkStream(dataset, map, chunks, options);
  const ids = dataset.filters.map(({ id }) => id);
  refuseForeignFilters(ids, options.label, dataset.path);
  return LibraryChunkStream.open(dataset, map, chunks, options);
}

class DirectChunkStream implements ChunkStream {
  private readonly reader: StoredChunkReader | null;
  private readonly decoder: ChunkDecoder;
  private readonly isChunked: boolean;
  private position = 0;

  constructor(
    private readonly dataset: DatasetDescriptor,
    private readonly map: ChunkMap,
    private readonly chunks: ArrayLike<number>,
    private readonly options: ChunkStreamOptions,
  ) {
    const { source, label, rangeBytes } = options;
    const { path, filters, type } = dataset;
    this.isChunked = dataset.layout.kind === 'chunked';
    this.reader = map.inline === null ? new StoredChunkReader(source, map, chunks, rangeBytes, label, path) : null;
    this.decoder = new ChunkDecoder(filters, type.bytes, map.chunkBytes, label, path);
  }

  async nextInto(target: Uint8Array): Promise<void> {
    const chunk = this.chunks[this.position++];
    const stored = this.reader === null ? this.map.inline : await this.reader.next();
    if (stored === null) {
      this.fill(target);
    } else {
      this.options.onStoredChunk?.(chunk, stored);
      if (this.isChunked) this.decoder.decode(stored, this.map.maskOf(chunk), chunk, target);
      else target.set(stored);
    }
    if (!this.dataset.type.littleEndian) swapBytes(target, this.dataset.type.bytes);
  }

  close(): void {
    this.reader?.close();
  }

  private fill(target: Uint8Array): void {
    const { fillValue } = this.dataset;
    if (fillValue === null) target.fill(0);
    else for (let at = 0; at < target.length; at += fillValue.length) target.set(fillValue, at);
  }
}
