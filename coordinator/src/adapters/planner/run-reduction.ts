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
 * Runs a reduction in a thread of its own and waits for it.
 *
 * @returns the reduction's warnings
 * @throws the ShardexError the thread ended with; Cancelled soon after `signal` is aborted
 */
export function runReduction(
  order: Omit<ReductionOrder, 'cancelFlag'>,
  report: (fraction: number) => void,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const cancelFlag = new SharedArrayBuffer(4);
  const thread = new Worker(new URL('./reduction-thread.js', import.meta.url), {
    workerData: { ...order, cancelFlag } satisfies ReductionOrder,
  });
  let grace: NodeJS.Timeout | undefined;
  const cancel = (): void => {
    Atomics.store(new Int32Array(cancelFlag), 0, 1);
    grace = setTimeout(() => void thread.terminate(), CANCEL_GRACE_MS);
  };
  signal.addEventListener('abort', cancel, { once: true });
  if (signal.aborted) cancel();
  return new Promise<readonly string[]>((resolve, reject) => {
    thread.on('message', (message: ReductionMessage) => {
      if (message.kind === 'progress') report(message.fraction);
      else if (message.kind === 'done') resolve(message.warnings);
      else {
        const { tag, hint, details, stack } = message;
        reject(new ShardexError(tag, message.message, { hint, details, cause: stack }));
      }
    });
    thread.on('error', (error) => reject(toShardexError(error, `running the ${order.stage} stage`)));
    thread.on('exit', () => {
      const doing = `running the ${order.stage} stage`;
      reject(
        signal.aborted
          ? new CancelledError(`${doing}: cancelled`)
          : toShardexError(new Error('the thread ended'), doing),
      );
    });
  }).finally(() => {
    clearTimeout(grace);
    signal.removeEventListener('abort', cancel);
  });
}
