import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from 'node:worker_threads';
import { ShardexError, StorageUnavailableError, type ErrorDetails, type ErrorTag } from '../errors/index.js';
import type { ByteSource } from './byte-source.js';

/** A read, by number. */
export interface BlockingRequest {
  readonly id: number;
  readonly offset: number;
  readonly length: number;
}

/** Number 0 is the opening. An error goes by its parts: structured clone would strip it of its tag. */
export type BlockingReply =
  | { readonly kind: 'opened'; readonly id: 0; readonly sizeBytes: number; readonly version: string }
  | { readonly kind: 'read'; readonly id: number; readonly bytes: Uint8Array }
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly tag: ErrorTag;
      readonly message: string;
      readonly hint: string;
      readonly details: ErrorDetails;
    };

/** The reading thread gives up long before; this ends the wait for a thread that is no more. */
const MAX_WAIT_MS = 30 * 60_000;

/**
 * A byte source that can also be read without awaiting, for code that cannot: a thread of its own does the reading, and
 * `readNow` stops this thread until it has.
 *
 * Costs a thread. Use it where a remote object has to look like a file to the HDF5 library.
 */
export class BlockingByteSource implements ByteSource {
  private readonly waiting = new Map<number, (reply: BlockingReply) => void>();
  private lastId = 0;

  private constructor(
    readonly uri: string,
    private readonly thread: Worker,
    private readonly port: MessagePort,
    private readonly replies: Int32Array,
    readonly sizeBytes: number,
    readonly version: string,
  ) {
    port.on('message', (reply: BlockingReply) => this.settle(reply));
  }

  /** @throws what `openByteSource` throws */
  static async open(uri: string): Promise<BlockingByteSource> {
    const { port1, port2 } = new MessageChannel();
    const replies = new SharedArrayBuffer(4);
    const thread = new Worker(new URL('./blocking-source-thread.js', import.meta.url), {
      workerData: { uri, port: port2, replies },
      transferList: [port2],
    });
    try {
      const first = await new Promise<BlockingReply>((resolve, reject) => {
        port1.once('message', resolve);
        thread.once('error', reject);
      });
      if (first.kind !== 'opened') throw errorOf(first);
      return new BlockingByteSource(uri, thread, port1, new Int32Array(replies), first.sizeBytes, first.version);
    } catch (error) {
      port1.close();
      await thread.terminate();
      throw error;
    }
  }

  async readInto(offset: number, target: Uint8Array): Promise<void> {
    const reply = await new Promise<BlockingReply>((resolve) => this.ask(offset, target.byteLength, resolve));
    target.set(bytesOf(reply));
  }

  /** Reads [offset, offset + length) and stops the thread meanwhile. @throws as `readInto` */
  readNow(offset: number, length: number): Uint8Array {
    let reply: BlockingReply | undefined;
    this.ask(offset, length, (received) => (reply = received));
    while (reply === undefined) {
      const seen = Atomics.load(this.replies, 0);
      const received = receiveMessageOnPort(this.port) as { readonly message: BlockingReply } | undefined;
      if (received !== undefined) this.settle(received.message);
      else if (Atomics.wait(this.replies, 0, seen, MAX_WAIT_MS) === 'timed-out') {
        throw new StorageUnavailableError(`reading ${this.uri}: the reading thread does not answer`);
      }
    }
    return bytesOf(reply);
  }

  async close(): Promise<void> {
    this.port.close();
    await this.thread.terminate();
  }

  private ask(offset: number, length: number, settle: (reply: BlockingReply) => void): void {
    const id = ++this.lastId;
    this.waiting.set(id, settle);
    this.port.postMessage({ id, offset, length } satisfies BlockingRequest);
  }

  private settle(reply: BlockingReply): void {
    this.waiting.get(reply.id)?.(reply);
    this.waiting.delete(reply.id);
  }
}

function bytesOf(reply: BlockingReply): Uint8Array {
  if (reply.kind === 'read') return reply.bytes;
  throw errorOf(reply);
}

function errorOf(reply: BlockingReply): ShardexError {
  if (reply.kind === 'failed') {
    return new ShardexError(reply.tag, reply.message, { hint: reply.hint, details: reply.details });
  }
  return new StorageUnavailableError('the reading thread answered out of turn');
}
