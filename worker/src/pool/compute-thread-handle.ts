import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { TaskAssignment, TaskReport } from '@shardex/shared/artifacts';
import {
  CancelledError,
  InvariantBrokenError,
  ResourceExhaustedError,
  type ShardexError,
} from '@shardex/shared/errors';
import { formatMemorySize } from '@shardex/shared/config';
import { MORE_MEMORY, fromErrorMessage, type FromThread, type ThreadData, type ToThread } from './thread-message.js';

export interface ThreadOptions {
  readonly name: string;
  /** Compiled `compute-thread`. */
  readonly threadUrl: URL;
  readonly taskModule: URL;
  readonly memoryBytes: number;
  readonly progressIntervalMs: number;
  /** How long an abandoned task may go on before its thread is ended. */
  readonly abandonGraceMs: number;
}

interface RunningTask {
  readonly kind: string;
  readonly onProgress: (fraction: number) => void;
  readonly resolve: (report: TaskReport) => void;
  readonly reject: (error: ShardexError) => void;
}

const MEBIBYTE = 2 ** 20;
/** Node itself and the task bodies need about 20 MiB of heap in a thread; below that it would not even start. */
const LEAST_HEAP_MIB = 64;

/** One compute thread as the main thread sees it. It lives until its task kills it or someone ends it; it never comes back. */
export class ComputeThreadHandle {
  /** Resolves when the thread can run tasks; rejects when it died before. */
  readonly ready: Promise<void>;
  /** Resolves when the thread is gone, whatever the reason. */
  readonly gone: Promise<void>;
  readonly #worker: Worker;
  readonly #abandonFlag = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly #options: ThreadOptions;
  #task: RunningTask | null = null;
  #graceTimer: NodeJS.Timeout | null = null;
  #fault: unknown = null;
  /** Why we ended it, when we did. */
  #endedBecause: string | null = null;

  constructor(options: ThreadOptions) {
    this.#options = options;
    const data: ThreadData = {
      taskModule: options.taskModule.href,
      memoryBytes: options.memoryBytes,
      abandonFlag: this.#abandonFlag.buffer,
      progressIntervalMs: options.progressIntervalMs,
    };
    this.#worker = new Worker(options.threadUrl, {
      name: options.name,
      workerData: data,
      // Bounds the JavaScript heap alone; the buffers of typed arrays are bounded by the tasks, who plan with memoryBytes.
      resourceLimits: {
        maxOldGenerationSizeMb: Math.max(LEAST_HEAP_MIB, Math.floor(options.memoryBytes / MEBIBYTE)),
      },
    });
    this.ready = new Promise((resolve, reject) => {
      this.#worker.on('message', (message: FromThread) => {
        if (message.kind === 'ready') resolve();
        else this.#receive(message);
      });
      this.#worker.once('exit', (code) => reject(this.#deathError('starting', code)));
    });
    // Whoever does not wait for `ready` learns of the death from the task.
    this.ready.catch(() => undefined);
    this.#worker.on('error', (error) => {
      this.#fault = error;
    });
    this.#worker.on('messageerror', (error) => {
      this.#fault = error;
      void this.end('it sent a message that cannot be read');
    });
    this.gone = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#clearGrace();
        const task = this.#task;
        this.#task = null;
        task?.reject(this.#deathError(`running a ${task.kind} task`, code));
        resolve();
      });
    });
  }

  /** It is on its way out and must not be given a task. */
  get isEnding(): boolean {
    return this.#endedBecause !== null || this.#fault !== null;
  }

  /** @throws the task's `ShardexError`; `ResourceExhausted`, `InvariantBroken` or `Cancelled` when the thread dies of it */
  run(assignment: TaskAssignment, onProgress: (fraction: number) => void): Promise<TaskReport> {
    if (this.#task !== null) throw new InvariantBrokenError(`${this.#options.name} runs a task already`);
    Atomics.store(this.#abandonFlag, 0, 0);
    return new Promise((resolve, reject) => {
      this.#task = { kind: assignment.spec.kind, onProgress, resolve, reject };
      this.#post({ kind: 'run', assignment });
    });
  }

  /** Asks the running task to stop; a task that does not is ended with its thread after the grace time. */
  abandon(): void {
    if (this.#task === null || this.#graceTimer !== null) return;
    Atomics.store(this.#abandonFlag, 0, 1);
    this.#post({ kind: 'abandon' });
    this.#graceTimer = setTimeout(
      () => void this.end('its task was abandoned and did not stop'),
      this.#options.abandonGraceMs,
    );
  }

  async end(because: string): Promise<void> {
    this.#endedBecause ??= because;
    await this.#worker.terminate();
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  #receive(message: Exclude<FromThread, { kind: 'ready' }>): void {
    const task = this.#task;
    if (task === null) return;
    if (message.kind === 'progress') {
      task.onProgress(message.fraction);
      return;
    }
    this.#clearGrace();
    this.#task = null;
    if (message.kind === 'completed') task.resolve(message.report);
    else task.reject(fromErrorMessage(message.error));
  }

  #clearGrace(): void {
    if (this.#graceTimer !== null) clearTimeout(this.#graceTimer);
    this.#graceTimer = null;
  }

  #deathError(doing: string, exitCode: number): ShardexError {
    const { name, memoryBytes } = this.#options;
    const fault = this.#fault;
    if (fault !== null) {
      const code = typeof fault === 'object' && 'code' in fault ? fault.code : undefined;
      if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
        return new ResourceExhaustedError(
          `${name} ran out of its ${formatMemorySize(memoryBytes)} of memory while ${doing}`,
          { hint: MORE_MEMORY, details: { memoryBytes } },
        );
      }
      const text = fault instanceof Error ? fault.message : inspect(fault);
      const stack = fault instanceof Error ? (fault.stack ?? '') : '';
      return new InvariantBrokenError(`${name} died while ${doing}: ${text}`, {
        hint: 'please report this as a bug',
        details: { stack },
        cause: fault,
      });
    }
    if (this.#endedBecause !== null)
      return new CancelledError(`${name} was ended while ${doing}: ${this.#endedBecause}`);
    return new InvariantBrokenError(`${name} exited with code ${exitCode} while ${doing}`, {
      hint: 'please report this as a bug',
      details: { exitCode },
    });
  }
}
