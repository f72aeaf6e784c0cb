import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { CorruptDataError, ResourceExhaustedError, ShardexError, toShardexError } from '../errors/index.js';
import type { ReadCounter } from './h5wasm-module.js';
import type { MetadataAssignment, MetadataReply } from './metadata-thread.js';
import { MetadataFile } from './read-metadata.js';
import type { H5adMetadata, MetadataRequest, ObsColumn } from './types.js';

const THREAD = new URL('./metadata-thread.js', import.meta.url);

/** An h5ad file of which metadata are read, once or several times. */
export interface H5adMetadataSession {
  /**
   * Reads what the file holds, short of the matrices' values. One request at a time.
   *
   * @throws InvalidInputError when it is not there, not an h5ad file, or lacks what was asked for
   * @throws CorruptDataError when it is truncated or its parts do not fit
   * @throws UnsupportedDataError for encodings that are not read
   */
  read(request: MetadataRequest): Promise<H5adMetadata>;
  close(): Promise<void>;
}

/**
 * Opens an h5ad file in a thread that ends with the session and gives its memory back. Where the compiled thread does not
 * exist (tests that run the sources) it is done in this thread. What is wrong with the file is said by the first `read`.
 *
 * Costs about 0.2 s to start, and 0.5 s a million strings read.
 */
export function openH5adMetadata(path: string): H5adMetadataSession {
  return existsSync(fileURLToPath(THREAD)) ? new ThreadSession(path) : new SessionHere(path);
}

/** One request of a session of its own. @see openH5adMetadata */
export async function readH5adMetadata(path: string, request: MetadataRequest = {}): Promise<H5adMetadata> {
  const session = openH5adMetadata(path);
  try {
    return await session.read(request);
  } finally {
    await session.close();
  }
}

/** Reads one column of obs. @see readH5adMetadata */
export async function readObsColumn(path: string, name: string): Promise<ObsColumn> {
  const { columns } = await readH5adMetadata(path, { obsColumns: [name], varNames: false });
  return columns[0];
}

/** Two looks at a thread that computes without reading are this far apart, and so many of them end it. */
const LOOK_MS = 1000;
const IDLE_LOOKS = 30;

class ThreadSession implements H5adMetadataSession {
  private readonly reads = new Int32Array(new SharedArrayBuffer(8));
  private readonly thread: Worker;
  /** Rejects when the thread ends unasked. */
  private readonly ended: Promise<never>;

  constructor(private readonly path: string) {
    this.thread = new Worker(THREAD, { workerData: { path, reads: this.reads } satisfies MetadataAssignment });
    this.ended = new Promise<never>((_, reject) => {
      this.thread.once('error', reject);
      this.thread.once('exit', (code) => {
        reject(new ResourceExhaustedError(`the thread reading ${path} ended with code ${code}`));
      });
    });
    this.ended.catch(() => undefined);
  }

  async read(request: MetadataRequest): Promise<H5adMetadata> {
    let watch: NodeJS.Timeout | undefined;
    const answered = new Promise<MetadataReply>((resolve, reject) => {
      this.thread.once('message', resolve);
      watch = watchReads(this.reads, () => {
        const hint = 'copy the file again, or write it again with anndata';
        reject(new CorruptDataError(`${this.path} leads the HDF5 library round in circles: it is damaged`, { hint }));
      });
    });
    this.thread.postMessage(request);
    try {
      const answer = await Promise.race([answered, this.ended]);
      if (answer.ok) return answer.metadata;
      throw new ShardexError(answer.tag, answer.message, { hint: answer.hint, details: answer.details });
    } catch (error) {
      throw toShardexError(error, `reading ${this.path}`);
    } finally {
      clearInterval(watch);
    }
  }

  async close(): Promise<void> {
    await this.thread.terminate();
  }
}

class SessionHere implements H5adMetadataSession {
  private file: MetadataFile | null = null;

  constructor(private readonly path: string) {}

  async read(request: MetadataRequest): Promise<H5adMetadata> {
    try {
      this.file ??= await MetadataFile.open(this.path);
      return await this.file.read(request);
    } catch (error) {
      throw toShardexError(error, `reading ${this.path}`);
    }
  }

  async close(): Promise<void> {
    await this.file?.close();
  }
}

/** The HDF5 library can loop for ever in a damaged file; a sound one makes it read every few milliseconds. */
function watchReads(reads: ReadCounter, onCircling: () => void): NodeJS.Timeout {
  let seen = -1;
  let idle = 0;
  return setInterval(() => {
    const now = Atomics.load(reads, 0);
    idle = now === seen && Atomics.load(reads, 1) === 0 && now > 0 ? idle + 1 : 0;
    seen = now;
    if (idle === IDLE_LOOKS) onCircling();
  }, LOOK_MS);
}
