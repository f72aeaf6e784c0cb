import { getHeapStatistics } from 'node:v8';
import { parentPort, workerData } from 'node:worker_threads';
import { toShardexError, type ErrorDetails, type ErrorTag } from '../errors/index.js';
import { countReadsIn, h5wasmSettled, loadH5wasm, type ReadCounter } from './h5wasm-module.js';
import { MetadataFile } from './read-metadata.js';
import type { H5adMetadata, MetadataRequest } from './types.js';

/** What the thread is started with. */
export interface MetadataAssignment {
  /** Tells the starter that the thread gets on. */
  readonly reads: ReadCounter;
}

/** What is asked of it, one at a time: a file is opened, asked any number of times, and closed before the next one. */
export type MetadataOrder =
  | { readonly kind: 'open'; readonly path: string }
  | { readonly kind: 'read'; readonly request: MetadataRequest }
  | { readonly kind: 'close' };

/** The answer to `read` and `close`: structured clone would strip an error of its tag. */
export type MetadataReply =
  | { readonly ok: true; readonly metadata: H5adMetadata }
  | {
      readonly ok: false;
      readonly tag: ErrorTag;
      readonly message: string;
      readonly hint: string;
      readonly details: ErrorDetails;
    }
  | { readonly closed: true; readonly heldBytes: number };

countReadsIn((workerData as MetadataAssignment).reads);

let path = '';
let opening: Promise<MetadataFile> | null = null;

async function read(request: MetadataRequest): Promise<MetadataReply> {
  try {
    opening ??= MetadataFile.open(path);
    return { ok: true, metadata: await (await opening).read(request) };
  } catch (error) {
    const { tag, message, hint, details } = toShardexError(error, `reading ${path}`);
    return { ok: false, tag, message, hint, details };
  }
}

async function close(): Promise<MetadataReply> {
  const file = await opening?.catch(() => null);
  opening = null;
  await file?.close();
  await h5wasmSettled();
  const { total_heap_size, external_memory } = getHeapStatistics();
  return { closed: true, heldBytes: total_heap_size + external_memory };
}

function begin(file: string): void {
  path = file;
  opening = MetadataFile.open(file);
  // A failure is told to whoever asks first.
  opening.catch(() => undefined);
}

parentPort?.on('message', (order: MetadataOrder) => {
  if (order.kind === 'open') return begin(order.path);
  void (order.kind === 'read' ? read(order.request) : close()).then((answer) => parentPort?.postMessage(answer));
});
// The library is there by the time the first file is named; a failure is told then.
loadH5wasm().catch(() => undefined);
