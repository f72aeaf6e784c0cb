import { Worker } from 'node:worker_threads';
import type { ReductionRequest } from './reduction-messages.js';

/** Threads beyond the one that is kept ready, and those that have held a job's results, end after so long without work. */
const IDLE_MS = 2_000;
/** A thread that is asked to end and does not look up gets this long. */
const END_GRACE_MS = 5_000;

/**
 * Threads that reductions run in. One costs 0.25 s to load, and another 0.3 s until it has written its first file, so one is
 * kept ready for the next reduction, and a crowd of jobs passes threads on.
 */
export class ThreadPool {
  private readonly idle: Worker[] = [];
  private readonly expiries = new Map<Worker, NodeJS.Timeout>();
  /** Of each thread: resolves when it has ended. */
  private readonly ended = new WeakMap<Worker, Promise<void>>();

  /** Starts a thread ahead of the first reduction. It does not keep the process alive. */
  prepare(): void {
    if (this.idle.length > 0) return;
    const thread = new Worker(new URL('./reduction-thread.js', import.meta.url));
    const forget = (): void => this.forget(thread);
    thread.once('error', forget).once('exit', forget);
    this.ended.set(thread, new Promise((resolve) => void thread.once('exit', () => resolve())));
    thread.unref();
    this.idle.push(thread);
  }

  /** Hands a thread over; it comes back by `keep`, or is ended. */
  take(): Worker {
    this.prepare();
    const thread = this.idle.pop() as Worker;
    this.forget(thread);
    thread.ref();
    return thread;
  }

  /** Takes back a thread that has nothing to do. @param isLarge - it has held a lot of memory and is not kept for long */
  keep(thread: Worker, isLarge: boolean): void {
    if (this.idle.length > 0 || isLarge) this.expire(thread);
    thread.unref();
    this.idle.push(thread);
  }

  /** Ends the threads that are kept; those that were taken go on. */
  async close(): Promise<void> {
    const threads = this.idle.splice(0);
    for (const thread of threads) this.forget(thread);
    await Promise.all(threads.map((thread) => this.end(thread)));
  }

  /** Ends a thread that has nothing to do, or has ended. */
  async end(thread: Worker): Promise<void> {
    // In order: one that is terminated while it loads would leave the file open that it is just reading.
    thread.ref();
    thread.postMessage({ kind: 'end' } satisfies ReductionRequest);
    const grace = setTimeout(() => void thread.terminate(), END_GRACE_MS);
    await this.ended.get(thread);
    clearTimeout(grace);
  }

  private expire(thread: Worker): void {
    const end = (): void => {
      this.forget(thread);
      void this.end(thread);
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
