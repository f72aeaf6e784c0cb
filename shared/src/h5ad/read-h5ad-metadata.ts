import { CorruptDataError, InvariantBrokenError, ShardexError, toShardexError } from '../errors/index.js';
import type { ReadCounter } from './h5wasm-module.js';
import type { MetadataReply } from './metadata-thread.js';
import { hasMetadataThread, MetadataThread } from './metadata-threads.js';
import { MetadataFile } from './read-metadata.js';
import type { H5adMetadata, MetadataRequest, ObsColumn } from './types.js';

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
 * Opens an h5ad file in a thread that ends soon after the session and gives its memory back. Where the compiled thread does
 * not exist (tests that run the sources) it is done in this thread. What is wrong with the file is said by the first `read`.
 *
 * Costs about 0.2 s to start, unless a thread is left from a session before, and 0.5 s a million strings read.
 */
export function openH5adMetadata(path: string): H5adMetadataSession {
  return hasMetadataThread() ? new ThreadSession(path) : new SessionHere(path);
}

/** Starts the thread of the next `openH5adMetadata` ahead of it, to load the library meanwhile. */
export function prepareH5adMetadata(): void {
  if (hasMetadataThread()) MetadataThread.prepare();
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
  private readonly thread = MetadataThread.take();
  /** A request has no answer yet. */
  private isAsked = false;
  private isSound = true;

  constructor(private readonly path: string) {
    this.thread.open(path);
  }

  async read(request: MetadataRequest): Promise<H5adMetadata> {
    let watch: NodeJS.Timeout | undefined;
    const circling = new Promise<never>((_, reject) => {
      watch = watchReads(this.thread.reads, () => {
        const hint = 'copy the file again, or write it again with anndata';
        reject(new CorruptDataError(`${this.path} leads the HDF5 library round in circles: it is damaged`, { hint }));
      });
    });
    this.isAsked = true;
    try {
      const answer = await Promise.race([this.thread.ask({ kind: 'read', request }), circling]);
      this.isAsked = false;
      return metadataIn(answer);
    } catch (error) {
      this.isSound = false;
      throw toShardexError(error, `reading ${this.path}`);
    } finally {
      clearInterval(watch);
    }
  }

  /** A thread that failed serves nobody else; one that is still at it is not waited for. */
  async close(): Promise<void> {
    await (this.isAsked ? this.thread.end() : this.thread.giveBack(this.isSound));
  }
}

function metadataIn(answer: MetadataReply): H5adMetadata {
  if (!('ok' in answer)) throw new InvariantBrokenError('the thread reading metadata answered what nobody asked');
  if (answer.ok) return answer.metadata;
  throw new ShardexError(answer.tag, answer.message, { hint: answer.hint, details: answer.details });
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
