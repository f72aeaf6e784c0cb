import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { CancelledError, ShardexError, toShardexError } from '@shardex/shared/errors';
import type { JobId } from '@shardex/shared/ids';
import type { Logger } from '@shardex/shared/telemetry';
import { AheadThreads } from './ahead-threads.js';
import type { ReductionMessage, ReductionOrder, ReductionRequest } from './reduction-messages.js';
import { ThreadPool } from './thread-pool.js';
import { Turnstile } from './turnstile.js';

/** A reduction that was cancelled and does not look up gets this long; what it leaves half-written is hidden. */
const CANCEL_GRACE_MS = 2_000;

/**
 * So many reductions run at a time, and the jobs' others wait: a thread for each of hundreds of jobs would leave the
 * coordinator's own thread, which answers workers and clients, no processor to run on.
 */
const AT_ONCE = Math.max(2, availableParallelism());

/** Runs reductions in threads of their own. */
export class ReductionThreads {
  private readonly pool = new ThreadPool();
  private readonly turnstile = new Turnstile(AT_ONCE);
  /** Those in which results are written before their merge. */
  readonly ahead: AheadThreads;

  /** @param logger - told what goes wrong without harm */
  constructor(logger: Logger | null) {
    this.ahead = new AheadThreads(this.pool, logger);
  }

  /** Starts a thread ahead of the first reduction. */
  prepare(): void {
    this.pool.prepare();
  }

  /**
   * Runs a reduction of a job and waits for it.
   *
   * @returns the reduction's warnings
   * @throws the ShardexError the thread ended with; Cancelled soon after `signal` is aborted
   */
  run(
    jobId: JobId,
    order: Omit<ReductionOrder, 'cancelFlag'>,
    report: (fraction: number) => void,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    return this.turnstile.pass(async () => {
      const isLast = order.stage === 'merge';
      const thread = (isLast ? this.ahead.take(jobId) : null) ?? this.pool.take();
      try {
        const warnings = await runIn(thread, order, report, signal);
        // The last one of a job has held the most memory: unless another job wants its thread soon, it ends.
        this.pool.keep(thread, isLast);
        return warnings;
      } catch (error) {
        await this.pool.end(thread);
        throw error;
      }
    }, signal);
  }

  /** Ends the threads that have nothing to wait for; those that run a reduction go on. */
  async close(): Promise<void> {
    await this.ahead.close();
    await this.pool.close();
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
      else if (message.kind === 'failed') {
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
    thread.postMessage({ kind: 'reduce', order: { ...order, cancelFlag } } satisfies ReductionRequest);
  }).finally(() => {
    clearTimeout(grace);
    signal.removeEventListener('abort', cancel);
    stopListening();
  });
}
