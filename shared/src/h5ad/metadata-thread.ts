import { parentPort, workerData } from 'node:worker_threads';
import { toShardexError, type ErrorDetails, type ErrorTag } from '../errors/index.js';
import { countReadsIn, type ReadCounter } from './h5wasm-module.js';
import { MetadataFile } from './read-metadata.js';
import type { H5adMetadata, MetadataRequest } from './types.js';

/** What the thread is started with. It opens the file and then answers one request after the other. */
export interface MetadataAssignment {
  readonly path: string;
  /** Tells the starter that the thread gets on. */
  readonly reads: ReadCounter;
}

/** The answer to a request: structured clone would strip an error of its tag. */
export type MetadataReply =
  | { readonly ok: true; readonly metadata: H5adMetadata }
  | {
      readonly ok: false;
      readonly tag: ErrorTag;
      readonly message: string;
      readonly hint: string;
      readonly details: ErrorDetails;
    };

const { path, reads } = workerData as MetadataAssignment;
countReadsIn(reads);
const opening = MetadataFile.open(path);
// A failure is told to whoever asks first.
opening.catch(() => undefined);

async function reply(request: MetadataRequest): Promise<MetadataReply> {
  try {
    return { ok: true, metadata: await (await opening).read(request) };
  } catch (error) {
    const { tag, message, hint, details } = toShardexError(error, `reading ${path}`);
    return { ok: false, tag, message, hint, details };
  }
}

parentPort?.on('message', (request: MetadataRequest) => {
  void reply(request).then((answer) => parentPort?.postMessage(answer));
});
