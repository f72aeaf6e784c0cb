import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { JobContext } from '@shardex/shared/artifacts';
import type { TestName } from '@shardex/shared/config';
import { toShardexError, type ShardexError } from '@shardex/shared/errors';
import type { ScopeShare } from './scratch.js';
import { fromFailureMessage, type FailureMessage } from './thread-failure.js';
import type { TestFiles } from './write-test.js';

const THREAD = new URL('./test-thread.js', import.meta.url);

/** Threads beside the one that merges: there are three tests. */
const MOST_HELPERS = 2;
/**
 * With more pairs of perturbation and gene than this, tests are written one after the other: the steps of their adjustment
 * take up to 2 bytes a pair and test, 64 MB here.
 */
const MOST_PAIRS_BESIDE = 2 ** 25;

export interface TestOrder {
  readonly share: ScopeShare;
  readonly folder: string;
  readonly test: TestName;
  readonly passValues: number;
}

/** What a thread is asked to do: the calls of `TestFiles`. */
export type TestStep =
  | { readonly kind: 'open'; readonly order: TestOrder }
  | { readonly kind: 'fill' | 'settle' | 'close' | 'abort'; readonly test: TestName };

type Answer =
  | { readonly kind: 'done'; readonly id: number; readonly names: string[] }
  | { readonly kind: 'progress'; readonly test: TestName; readonly fraction: number }
  | (FailureMessage & { readonly id: number });

interface Waiting {
  readonly resolve: (names: string[]) => void;
  readonly reject: (error: ShardexError) => void;
}

/** A thread that writes the files of tests. */
export class TestThread {
  private readonly thread = new Worker(THREAD);
  private readonly waiting = new Map<number, Waiting>();
  private readonly reports = new Map<TestName, (fraction: number) => void>();
  private steps = 0;
  /** Why the thread has ended. */
  private fault: ShardexError | null = null;

  constructor() {
    const end = (reason: unknown): void => {
      const fault = toShardexError(reason, 'writing results');
      this.fault = fault;
      for (const { reject } of this.waiting.values()) reject(fault);
      this.waiting.clear();
    };
    this.thread
      .on('message', (answer: Answer) => this.take(answer))
      .once('error', end)
      .once('exit', () => end(this.fault ?? new Error('the thread ended')));
  }

  /** `openTestFiles` in the thread. */
  async open(order: TestOrder): Promise<TestFiles> {
    const { test } = order;
    await this.ask({ kind: 'open', order });
    return {
      fill: async (report) => {
        this.reports.set(test, report);
        await this.ask({ kind: 'fill', test });
      },
      settle: async () => void (await this.ask({ kind: 'settle', test })),
      close: () => this.ask({ kind: 'close', test }),
      abort: async () => void (await this.ask({ kind: 'abort', test })),
    };
  }

  async end(): Promise<void> {
    await this.thread.terminate();
  }

  private ask(step: TestStep): Promise<string[]> {
    return new Promise((resolve, reject) => {
      if (this.fault !== null) {
        reject(this.fault);
        return;
      }
      const id = this.steps++;
      this.waiting.set(id, { resolve, reject });
      this.thread.postMessage({ id, step });
    });
  }

  private take(answer: Answer): void {
    if (answer.kind === 'progress') {
      this.reports.get(answer.test)?.(answer.fraction);
      return;
    }
    const waiting = this.waiting.get(answer.id);
    this.waiting.delete(answer.id);
    if (answer.kind === 'done') waiting?.resolve(answer.names);
    else waiting?.reject(fromFailureMessage(answer));
  }
}

let prepared: TestThread[] = [];

/**
 * Starts the threads of a merge ahead of it, as many as there are cores and tests for beside the thread that merges. None
 * for a large screen, whose tests are written one after the other.
 */
export function prepareTestThreads({ nGenes, groupLabels, parameters }: JobContext): void {
  if (prepared.length > 0 || !existsSync(fileURLToPath(THREAD))) return;
  if (nGenes * groupLabels.length > MOST_PAIRS_BESIDE) return;
  const n = Math.min(parameters.tests.length - 1, availableParallelism() - 1, MOST_HELPERS);
  prepared = Array.from({ length: Math.max(0, n) }, () => new TestThread());
}

/** The threads for a merge, which ends them. */
export function takeTestThreads(context: JobContext): readonly TestThread[] {
  prepareTestThreads(context);
  const threads = prepared;
  prepared = [];
  return threads;
}
