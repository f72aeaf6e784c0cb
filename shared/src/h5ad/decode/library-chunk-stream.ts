import { InvalidInputError } from '../../errors/index.js';
import { BlockingByteSource, FileByteSource, type ByteSource } from '../../storage/index.js';
import { Hdf5Bytes } from '../hdf5/index.js';
import { Hdf5File } from '../read-hdf5-file.js';
import type { DatasetDescriptor } from '../types.js';
import type { ChunkMap } from './chunk-map.js';
import type { ChunkStream, ChunkStreamOptions } from './chunk-stream-contract.js';
import { StoredChunkReader } from './stored-chunk-reader.js';

/** Chunks of one dimension read by one call, which costs 1.5 ms however little it reads. */
const BATCH_BYTES = 4 << 20;

/** Reads chunks through the HDF5 library and its plugins: the way round compressions that are not decoded here. */
export class LibraryChunkStream implements ChunkStream {
  private position = 0;
  private batch: Uint8Array | null = null;
  private batchFirst = 0;

  private constructor(
    private readonly file: Hdf5File,
    private readonly dataset: DatasetDescriptor,
    private readonly map: ChunkMap,
    private readonly chunks: ArrayLike<number>,
    private readonly options: ChunkStreamOptions,
    private readonly stored: StoredChunkReader | null,
    private readonly remote: BlockingByteSource | null,
  ) {}

  /** A remote object is read by a thread of its own, since the library reads without awaiting. */
  static async open(
    dataset: DatasetDescriptor,
    map: ChunkMap,
    chunks: ArrayLike<number>,
    options: ChunkStreamOptions,
  ): Promise<LibraryChunkStream> {
    const { source, label, rangeBytes, onStoredChunk } = options;
    const remote = source instanceof FileByteSource ? null : await openAgain(source);
    try {
      const file = await Hdf5File.open(await Hdf5Bytes.open(remote ?? source));
      // The library keeps the stored bytes to itself: whoever wants them has them read a second time.
      const wanted = onStoredChunk !== undefined;
      const stored = wanted ? new StoredChunkReader(source, map, chunks, rangeBytes, label, dataset.path) : null;
      return new LibraryChunkStream(file, dataset, map, chunks, options, stored, remote);
    } catch (error) {
      await remote?.close();
      throw error;
    }
  }

  async nextInto(target: Uint8Array): Promise<void> {
    const chunk = this.chunks[this.position];
    const bytes = this.stored === null ? null : await this.stored.next();
    if (bytes !== null) this.options.onStoredChunk?.(chunk, bytes);
    if (this.map.grid.length === 1) this.copyFromBatch(chunk, target);
    else this.readBox(chunk, target);
    this.position++;
  }

  close(): void {
    this.stored?.close();
    this.file.close();
    void this.remote?.close();
  }

  /** One dimension: consecutive chunks are consecutive elements, so many are read at once. */
  private copyFromBatch(chunk: number, target: Uint8Array): void {
    const { chunkBytes } = this.map;
    const batchEnd = this.batchFirst + (this.batch?.length ?? 0) / chunkBytes;
    if (this.batch === null || chunk < this.batchFirst || chunk >= batchEnd) this.readBatch(chunk);
    const at = (chunk - this.batchFirst) * chunkBytes;
    target.set((this.batch as Uint8Array).subarray(at, at + target.length));
  }

  private readBatch(chunk: number): void {
    const { chunkBytes, chunkShape } = this.map;
    const most = Math.max(1, Math.floor(BATCH_BYTES / chunkBytes));
    let count = 1;
    while (count < most && this.chunks[this.position + count] === chunk + count) count++;
    const begin = chunk * chunkShape[0];
    const elements = Math.min(count * chunkShape[0], this.dataset.shape[0] - begin);
    this.batch = new Uint8Array(count * chunkBytes);
    this.batchFirst = chunk;
    const read = this.batch.subarray(0, elements * this.dataset.type.bytes);
    this.file.readSlice(`/${this.dataset.path}`, [begin], [elements], read);
  }

  /** Two dimensions: the part of the chunk within the extent, spread to the chunk's own row length. */
  private readBox(chunk: number, target: Uint8Array): void {
    const { shape, type, path } = this.dataset;
    const [rows, columns] = this.map.chunkShape;
    const begin = [Math.floor(chunk / this.map.grid[1]) * rows, (chunk % this.map.grid[1]) * columns];
    const count = [Math.min(rows, shape[0] - begin[0]), Math.min(columns, shape[1] - begin[1])];
    const read = count[1] === columns ? target : new Uint8Array(count[0] * count[1] * type.bytes);
    const width = count[1] * type.bytes;
    this.file.readSlice(`/${path}`, begin, count, read.subarray(0, count[0] * width));
    if (read === target) return;
    for (let row = 0; row < count[0]; row++) {
      target.set(read.subarray(row * width, (row + 1) * width), row * columns * type.bytes);
    }
  }
}

/** The same object, read so that this thread can wait for it. @throws InvalidInputError when it is another one by now */
async function openAgain({ uri, version }: ByteSource): Promise<BlockingByteSource> {
  const remote = await BlockingByteSource.open(uri);
  if (remote.version === version) return remote;
  await remote.close();
  throw new InvalidInputError(`${uri} changed while the job was running`, {
    hint: 'run again once nothing writes to it',
  });
}
