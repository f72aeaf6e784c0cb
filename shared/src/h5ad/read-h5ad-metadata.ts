import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { CorruptDataError, ResourceExhaustedError, ShardexError, toShardexError } from '../errors/index.js';
import type { ReadCounter } from './h5wasm-module.js';
import type { MetadataAssignment, MetadataReply } from './metadata-thread.js';
import { readMetadataHere } from './read-metadata.js';
import type { H5adMetadata, MetadataRequest, ObsColumn } from './types.js';

const THREAD = new URL('./metadata-thread.js', import.meta.url);

/**
 * Reads what an h5ad file holds, short of the matrices' values, in a thread that ends afterwards and gives its memory
 * back. Where the compiled thread does not exist (tests that run the sources) it is done in this thread.
 *
 * Costs about 0.2 s to start, and 0.5 s a million strings read.
 *
 * @param path - of the file
 * @throws InvalidInputError when it is not there, not an h5ad file, or lacks what was asked for
 * @throws CorruptDataError when it is truncated or its parts do not fit
 * @throws UnsupportedDataError for encodings that are not read
 */
export async function readH5adMetadata(path: string, request: MetadataRequest = {}): Promise<H5adMetadata> {
  try {
    if (!existsSync(fileURLToPath(THREAD))) return await readMetadataHere(path, request);
    return await readInThread(path, request);
  } catch (error) {
    throw toShardexError(error, `reading ${path}`);
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

async function readInThread(path: string, request: MetadataRequest): Promise<H5adMetadata> {
  const reads = new Int32Array(new SharedArrayBuffer(8));
  const thread = new Worker(THREAD, { workerData: { path, request, reads } satisfies MetadataAssignment });
  let watch: NodeJS.Timeout | undefined;
  try {
    const answer = await new Promise<MetadataReply>((resolve, reject) => {
      thread.once('message', resolve);
      thread.once('error', reject);
      thread.once('exit', (code) => {
        reject(new ResourceExhaustedError(`the thread reading ${path} ended with code ${code}`));
      });
      watch = watchReads(reads, () => {
        const hint = 'copy the file again, or write it again with anndata';
        reject(new CorruptDataError(`${path} leads the HDF5 library round in circles: it is damaged`, { hint }));
      });
    });
    if (answer.ok) return answer.metadata;
    throw new ShardexError(answer.tag, answer.message, { hint: answer.hint, details: answer.details });
  } finally {
    clearInterval(watch);
    await thread.terminate();
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
