import { Worker } from 'node:worker_threads';
import { CancelledError, ShardexError, toShardexError, type ErrorDetails, type ErrorTag } from '@shardex/shared/errors';
import type { JobHistory } from '../../domain/index.js';
import type { LockToken } from '../lock/index.js';

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
 * Runs reductions in threads of their own. A thread costs 0.25 s to load, so one is kept ready for the next reduction.
 */
export class ReductionThreads {
  private ready: Worker | null = null;

  /** Starts a thread ahead of the first reduction. It does not keep the process alive. */
  prepare(): void {
    if (this.ready !== null) return;
    const thread = new Worker(new URL('./reduction-thread.js', import.meta.url));
    const drop = (): void => {
      if (this.ready === thread) this.ready = null;
    };
    thread.once('error', drop).once('exit', drop);
    this.keep(thread);
  }

  /**
   * Runs a reduction and waits for it.
   *
   * @returns the reduction's warnings
   * @throws the ShardexError the thread ended with; Cancelled soon after `signal` is aborted
   */
  async run(
    order: Omit<ReductionOrder, 'cancelFlag'>,
    report: (fraction: number) => void,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    this.prepare();
    const thread = this.ready as Worker;
    this.ready = null;
    thread.ref();
    try {
      const warnings = await runIn(thread, order, report, signal);
      // The last one has held the most memory, and none comes after it.
      if (this.ready === null && order.stage !== 'merge') this.keep(thread);
      else await thread.terminate();
      return warnings;
    } catch (error) {
      await thread.terminate();
      throw error;
    }
  }

  /** Ends the thread that is kept; one that runs goes on. */
  async close(): Promise<void> {
    const { ready } = this;
    this.ready = null;
    await ready?.terminate();
  }

  private keep(thread: Worker): void {
    thread.unref();
    this.ready = thread;
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
