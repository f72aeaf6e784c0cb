import { workerData, type MessagePort } from 'node:worker_threads';
import { toShardexError } from '../errors/index.js';
import type { BlockingReply, BlockingRequest } from './blocking-source.js';
import { openByteSource } from './open-uri.js';

/** What the thread is started with. */
interface BlockingAssignment {
  readonly uri: string;
  readonly port: MessagePort;
  /** One Int32: grows by one with every reply, for those who wait for it. */
  readonly replies: SharedArrayBuffer;
}

/** Body of the thread that reads for `BlockingByteSource`. */
const { uri, port, replies } = workerData as BlockingAssignment;
const counter = new Int32Array(replies);

const answer = (reply: BlockingReply, transfer: ArrayBuffer[] = []): void => {
  port.postMessage(reply, transfer);
  Atomics.add(counter, 0, 1);
  Atomics.notify(counter, 0);
};

const fail = (id: number, error: unknown): void => {
  const { tag, message, hint, details } = toShardexError(error, `reading ${uri}`);
  answer({ kind: 'failed', id, tag, message, hint, details });
};

try {
  const source = await openByteSource(uri);
  port.on('message', ({ id, offset, length }: BlockingRequest) => {
    const bytes = new Uint8Array(length);
    source.readInto(offset, bytes).then(
      () => answer({ kind: 'read', id, bytes }, [bytes.buffer]),
      (error: unknown) => fail(id, error),
    );
  });
  port.once('close', () => void source.close());
  answer({ kind: 'opened', id: 0, sizeBytes: source.sizeBytes, version: source.version });
} catch (error) {
  fail(0, error);
  port.close();
}
