import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { ResourceExhaustedError } from '../errors/index.js';
import type { ReadCounter } from './h5wasm-module.js';
import type { MetadataAssignment, MetadataOrder, MetadataReply } from './metadata-thread.js';

const THREAD = new URL('./metadata-thread.js', import.meta.url);

/** Whether the compiled thread is there; it is not for tests that run the sources. */
export const hasMetadataThread = (): boolean => existsSync(fileURLToPath(THREAD));

/** A thread that nobody has asked for a file for so long ends and gives its memory back. */
const IDLE_MS = 2_000;
/** A thread that holds more ends with its file: the HDF5 library's memory never shrinks. A small file leaves 50 MB. */
const KEPT_BYTES = 96 << 20;

/** Starting one costs 0.3 s of a processor, more than reading a small file: the one used last is kept for the next file. */
let idle: MetadataThread | null = null;

const keep = (thread: MetadataThread): void => void (idle = thread);

/** A thread that holds one file at a time. */
export class MetadataThread {
  readonly reads: ReadCounter = new Int32Array(new SharedArrayBuffer(8));
  readonly #worker: Worker;
  /** Rejects when the thread ends unasked. */
  readonly #ended: Promise<never>;
  #expiry: NodeJS.Timeout | undefined;

  private constructor() {
    this.#worker = new Worker(THREAD, { workerData: { reads: this.reads } satisfies MetadataAssignment });
    this.#ended = new Promise<never>((_, reject) => {
      this.#worker.once('error', reject);
      this.#worker.once('exit', (code) => {
        if (idle === this) idle = null;
        reject(new ResourceExhaustedError(`the thread reading metadata ended with code ${code}`));
      });
    });
    this.#ended.catch(() => undefined);
  }

  /** The idle one, or a new one. */
  static take(): MetadataThread {
    const thread = idle ?? new MetadataThread();
    idle = null;
    clearTimeout(thread.#expiry);
    thread.#worker.ref();
    return thread;
  }

  /** Starts the next one, which loads the library until it is asked for a file. */
  static prepare(): void {
    if (idle === null) new MetadataThread().#rest();
  }

  open(path: string): void {
    this.#worker.postMessage({ kind: 'open', path } satisfies MetadataOrder);
  }

  /** @throws what the thread ended with, when it ends before it answers */
  ask(order: MetadataOrder): Promise<MetadataReply> {
    const answered = new Promise<MetadataReply>((resolve) => this.#worker.once('message', resolve));
    this.#worker.postMessage(order);
    return Promise.race([answered, this.#ended]);
  }

  /** Closes the file, and ends the thread unless it can serve the next one. @param isSound - it has not failed */
  async giveBack(isSound: boolean): Promise<void> {
    const answer = await this.#close();
    const isSmall = answer !== null && 'closed' in answer && answer.heldBytes <= KEPT_BYTES;
    if (!isSound || !isSmall || idle !== null) return this.end();
    this.#rest();
  }

  /** Ends the thread in the midst of whatever it does. */
  async end(): Promise<void> {
    if (idle === this) idle = null;
    await this.#worker.terminate();
  }

  #rest(): void {
    keep(this);
    // It does not keep the process alive.
    this.#worker.unref();
    this.#expiry = setTimeout(() => void this.#expire(), IDLE_MS).unref();
  }

  async #expire(): Promise<void> {
    if (idle === this) idle = null;
    await this.#close();
    await this.end();
  }

  /** @returns null when the thread has ended */
  #close(): Promise<MetadataReply | null> {
    return this.ask({ kind: 'close' }).catch(() => null);
  }
}
