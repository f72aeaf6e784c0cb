import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { CancelledError, ShardexError, toShardexError, type ErrorDetails, type ErrorTag } from '@shardex/shared/errors';
import type { JobHistory } from '../../domain/index.js';
import type { LockToken } from '../lock/index.js';
import { Turnstile } from './turnstile.js';

/** The stages that run on the coordinator. */
export const REDUCTIONS = ['gene-means', 'size-factors', 'trend', 'shrink-prior', 'merge'] as const;
export type ReductionStage = (typeof REDUCTIONS)[number];

/** One reduction, by value. */
export interface ReductionOrder {
  readonly stage: ReductionStage;
  readonly scratchUri: string;
  readonly outputs: Readonly<Record<string, readonly string[]>>;
  readonly history: JobHistory;
  /** Of the output folder: looked at once more before results are put into it. */
  readonly lock: LockToken | null;
  /** One Int32: 1 asks the thread to stop. */
  readonly cancelFlag: SharedArrayBuffer;
}

export type ReductionMessage =
  /** Its first message: everything is loaded. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly fraction: number }
  | { readonly kind: 'done'; readonly warnings: readonly string[] }
  | {
      readonly kind: 'failed';
      readonly tag: ErrorTag;
      readonly message: string;
      readonly hint: string;
      readonly details: ErrorDetails;
      readonly stack: string;
    };

/** A reduction that was cancelled and does not look up gets this long; what it leaves half-written is hidden. */
const CANCEL_GRACE_MS = 2_000;

/**
 * So many reductions run at a time, and the jobs' others wait: a thread for each of hundreds of jobs would leave the
 * coordinator's own thread, which answers workers and clients, no processor to run on.
 */
const AT_ONCE = Math.max(2, availableParallelism());
/** Threads beyond the one that is kept ready, and those that have held a job's results, end after so long without work. */
const IDLE_MS = 2_000;

/**
 * Runs reductions in threads of their own. A thread costs 0.25 s to load, and another 0.3 s until it has written its first
 * file, so one is kept ready for the next reduction, and a crowd of jobs passes threads on.
 */
export class ReductionThreads {
  private readonly idle: Worker[] = [];
  private readonly expiries = new Map<Worker, NodeJS.Timeout>();
  /** Of each thread: resolves when it is loaded, or has ended. */
  private readonly loaded = new WeakMap<Worker, Promise<void>>();
  private readonly turnstile = new Turnstile(AT_ONCE);

  /** Starts a thread ahead of the first reduction. It does not keep the process alive. */
  prepare(): void {
    if (this.idle.length > 0) return;
    const thread = new Worker(new URL('./reduction-thread.js', import.meta.url));
    const forget = (): void => this.forget(thread);
    thread.once('error', forget).once('exit', forget);
    const settled = (resolve: () => void): void => void thread.once('message', resolve).once('exit', resolve);
    this.loaded.set(thread, new Promise(settled));
    this.keep(thread);
  }

  /**
   * Runs a reduction and waits for it.
   *
   * @returns the reduction's warnings
   * @throws the ShardexError the thread ended with; Cancelled soon after `signal` is aborted
   */
  run(
    order: Omit<ReductionOrder, 'cancelFlag'>,
    report: (fraction: number) => void,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    return this.turnstile.pass(async () => {
      const thread = this.take();
      try {
        const warnings = await runIn(thread, order, report, signal);
        // None comes after the last one of a job, which has held the most memory: unless another job wants it soon, it ends.
        if (this.idle.length > 0 || order.stage === 'merge') this.expire(thread);
        this.keep(thread);
        return warnings;
      } catch (error) {
        await thread.terminate();
        throw error;
      }
    }, signal);
  }

  /** Ends the threads that are kept; those that run go on. */
  async close(): Promise<void> {
    const threads = this.idle.splice(0);
    for (const thread of threads) this.forget(thread);
    await Promise.all(
      threads.map(async (thread) => {
        // One that is ended while it loads would leave the file open that it is just reading.
        thread.ref();
        await this.loaded.get(thread);
        await thread.terminate();
      }),
    );
  }

  private take(): Worker {
    this.prepare();
    const thread = this.idle.pop() as Worker;
    this.forget(thread);
    thread.ref();
    return thread;
  }

  private keep(thread: Worker): void {
    thread.unref();
    this.idle.push(thread);
  }

  private expire(thread: Worker): void {
    const end = (): void => {
      this.forget(thread);
      void thread.terminate();
    };
    this.expiries.set(thread, setTimeout(end, IDLE_MS).unref());
  }

  private forget(thread: Worker): void {
    clearTimeout(this.expiries.get(thread));
    this.expiries.delete(thread);
    const place = this.idle.indexOf(thread);
    if (place >= 0) this.idle.splice(place, 1);
  }
}

function runIn(
  thread: Worker,
  order: Omit<ReductionOrder, 'cancelFlag'>,
  report: (fraction: number) => void,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const cancelFlag = new SharedArrayBuffer(4);
  const doing = `running the ${order.stage} stage`;
  let grace: NodeJS.Timeout | undefined;
  const cancel = (): void => {
    Atomics.store(new Int32Array(cancelFlag), 0, 1);
    grace = setTimeout(() => void thread.terminate(), CANCEL_GRACE_MS);
  };
  signal.addEventListener('abort', cancel, { once: true });
  if (signal.aborted) cancel();
  let stopListening = (): void => undefined;
  return new Promise<readonly string[]>((resolve, reject) => {
    const onMessage = (message: ReductionMessage): void => {
      if (message.kind === 'ready') return;
      if (message.kind === 'progress') report(message.fraction);
      else if (message.kind === 'done') resolve(message.warnings);
      else {
        const { tag, hint, details, stack } = message;
        reject(new ShardexError(tag, message.message, { hint, details, cause: stack }));
      }
    };
    const onError = (error: unknown): void => reject(toShardexError(error, doing));
    const onExit = (): void => {
      const ended = toShardexError(new Error('the thread ended'), doing);
      reject(signal.aborted ? new CancelledError(`${doing}: cancelled`) : ended);
    };
    thread.on('message', onMessage).once('error', onError).once('exit', onExit);
    stopListening = () => thread.off('message', onMessage).off('error', onError).off('exit', onExit);
    thread.postMessage({ ...order, cancelFlag } satisfies ReductionOrder);
  }).finally(() => {
    clearTimeout(grace);
    signal.removeEventListener('abort', cancel);
    stopListening();
  });
}
