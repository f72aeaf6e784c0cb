import { CancelledError, InvariantBrokenError, toShardexError } from '@shardex/shared/errors';
import { leaseKey, type HeldTask, type LeaseKey, type TaskOutcome } from '../domain/index.js';
import { ComputeThreadHandle, type ThreadOptions } from './compute-thread-handle.js';
import { peakResidentBytes } from './resident-memory.js';

export interface ComputePoolOptions {
  readonly threads: number;
  /** Memory of all threads together, in bytes; each gets an equal share. */
  readonly memoryBytes: number;
  /** How long an abandoned task may go on before its thread is ended and replaced. */
  readonly abandonGraceMs: number;
  /** Shortest time between two progress messages of a task. */
  readonly progressIntervalMs?: number;
  /** Other places for the thread's entry and the task bodies than their compiled modules. */
  readonly threadUrl?: URL | undefined;
  readonly taskModule?: URL | undefined;
  /** Told when a thread has died and another takes its place. */
  readonly onReplaced?: (name: string) => void;
}

/** A place for a thread; empty when the thread died while starting: the next task tries anew. */
interface Place {
  readonly number: number;
  thread: ComputeThreadHandle | null;
  /** Attempt that has the place; null when it is free. */
  key: LeaseKey | null;
  isAbandoned: boolean;
}

const DEFAULT_PROGRESS_INTERVAL_MS = 250;

/**
 * A fixed number of compute threads, each running one task at a time. A thread that dies takes its task with it, as a
 * typed failure, and is replaced; the process and the other tasks go on.
 */
export class ComputePool {
  readonly #options: ComputePoolOptions;
  readonly #places: Place[];
  #isClosed = false;

  private constructor(options: ComputePoolOptions) {
    this.#options = options;
    this.#places = Array.from({ length: options.threads }, (_, number) => ({
      number,
      thread: null,
      key: null,
      isAbandoned: false,
    }));
  }

  /** Starts all threads. @throws InvariantBrokenError when they cannot load the task bodies */
  static async start(options: ComputePoolOptions): Promise<ComputePool> {
    const pool = new ComputePool(options);
    try {
      await Promise.all(pool.#places.map((place) => pool.#spawn(place).ready));
    } catch (error) {
      await pool.close();
      throw toShardexError(error, 'starting the compute threads');
    }
    return pool;
  }

  /**
   * Runs a task on a free thread.
   *
   * @returns how it ended; never rejects for what a task or its thread does
   * @throws InvariantBrokenError when every thread is busy: the lifecycle grants no more tasks than threads
   */
  async run(task: HeldTask, onProgress: (fraction: number) => void): Promise<TaskOutcome> {
    const place = this.#places.find(({ key }) => key === null);
    if (place === undefined || this.#isClosed) {
      throw new InvariantBrokenError(`there is no thread for task ${task.taskId}`);
    }
    place.key = leaseKey(task);
    place.isAbandoned = false;
    try {
      const thread = await this.#threadAt(place);
      if (place.isAbandoned) throw new CancelledError(`task ${task.taskId} was abandoned before it began`);
      const startedAtMs = performance.now();
      const report = await thread.run(toAssignment(task), onProgress);
      const wallMs = performance.now() - startedAtMs;
      return { kind: 'completed', report: { ...report, wallMs, peakResidentBytes: peakResidentBytes() } };
    } catch (error) {
      return { kind: 'failed', error: toShardexError(error, `running task ${task.taskId}`) };
    } finally {
      place.key = null;
    }
  }

  /** Asks a running task to stop; its `run` resolves when it did, or when its thread was ended. */
  abandon(key: LeaseKey): void {
    const place = this.#places.find((candidate) => candidate.key === key);
    if (place === undefined) return;
    place.isAbandoned = true;
    place.thread?.abandon();
  }

  /** Ends every thread at once; running tasks end as `Cancelled`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#places.map(async ({ thread }) => thread?.end('the worker stops')));
  }

  /** The thread of a place, after one that is being ended has made room for the next. */
  async #threadAt(place: Place): Promise<ComputeThreadHandle> {
    if (place.thread?.isEnding === true) await place.thread.gone;
    if (this.#isClosed) throw new CancelledError('the worker stops');
    return place.thread ?? this.#spawn(place);
  }

  #spawn(place: Place): ComputeThreadHandle {
    const { threads, memoryBytes, abandonGraceMs, progressIntervalMs, threadUrl, taskModule } = this.#options;
    const name = `compute thread ${place.number + 1}`;
    const options: ThreadOptions = {
      name,
      abandonGraceMs,
      memoryBytes: Math.floor(memoryBytes / threads),
      progressIntervalMs: progressIntervalMs ?? DEFAULT_PROGRESS_INTERVAL_MS,
      threadUrl: threadUrl ?? new URL('./compute-thread.js', import.meta.url),
      taskModule: taskModule ?? new URL('../tasks/index.js', import.meta.url),
    };
    const thread = new ComputeThreadHandle(options);
    place.thread = thread;
    let wasReady = false;
    thread.ready.then(
      () => (wasReady = true),
      () => undefined,
    );
    void thread.gone.then(() => {
      // Before anyone else hears of it: `run` must never be given a thread that is gone.
      place.thread = null;
      // A thread that cannot even start would be replaced in a tight loop.
      if (this.#isClosed || !wasReady) return;
      this.#options.onReplaced?.(name);
      this.#spawn(place);
    });
    return thread;
  }
}

/** The part of a held task that the task body knows. */
const toAssignment = ({ scratchUri, spec, output, memoryBytes }: HeldTask) => ({
  scratchUri,
  spec,
  output,
  memoryBytes,
});
