import { parentPort, workerData } from 'node:worker_threads';
import { toShardexError, type ErrorDetails, type ErrorTag } from '../errors/index.js';
import { countReadsIn, type ReadCounter } from './h5wasm-module.js';
import { readMetadataHere } from './read-metadata.js';
import type { H5adMetadata, MetadataRequest } from './types.js';

/** What the thread is started with. */
export interface MetadataAssignment {
  readonly path: string;
  readonly request: MetadataRequest;
  /** Tells the starter that the thread gets on. */
  readonly reads: ReadCounter;
}

/** What the thread posts, once: structured clone would strip an error of its tag. */
export type MetadataReply =
  | { readonly ok: true; readonly metadata: H5adMetadata }
  | {
      readonly ok: false;
      readonly tag: ErrorTag;
      readonly message: string;
      readonly hint: string;
      readonly details: ErrorDetails;
    };

async function reply({ path, request, reads }: MetadataAssignment): Promise<MetadataReply> {
  countReadsIn(reads);
  try {
    return { ok: true, metadata: await readMetadataHere(path, request) };
  } catch (error) {
    const { tag, message, hint, details } = toShardexError(error, `reading ${path}`);
    return { ok: false, tag, message, hint, details };
  }
}

parentPort?.postMessage(await reply(workerData as MetadataAssignment));
