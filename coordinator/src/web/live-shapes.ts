import type { TestName } from './result-shapes.js';

/**
 * What the live page asks the coordinator for, as JSON: the parts of the domain's views that it shows.
 */

export interface LiveStage {
  readonly name: string;
  readonly state: string;
  readonly tasksTotal: number;
  readonly tasksDone: number;
  readonly tasksRunning: number;
  readonly retries: number;
  /** 0 to 1. */
  readonly progress: number;
  readonly startedMs: number | null;
  readonly endedMs: number | null;
}

/** A job in a few words. */
export interface LiveJob {
  readonly jobId: string;
  readonly state: 'queued' | 'running' | 'cancelling' | 'succeeded' | 'failed' | 'cancelled';
  readonly stages: readonly LiveStage[];
  readonly submittedMs: number;
  readonly startedMs: number | null;
  readonly endedMs: number | null;
  readonly etaSeconds: number | null;
  readonly input: string;
  readonly output: string;
  readonly tests: readonly TestName[];
}

export interface LiveWorker {
  readonly workerId: string;
  readonly host: string;
  readonly pid: number;
  /** Tasks it runs at the same time. */
  readonly threads: number;
  readonly tasksHeld: number;
  /** What it is at; `fraction` as it told, 0 to 1. */
  readonly tasks: readonly {
    readonly jobId: string;
    readonly stage: string;
    readonly attempt: number;
    readonly sinceMs: number;
    readonly fraction: number;
  }[];
  readonly lastSeenMs: number;
  readonly residentBytes: number;
  readonly memoryBytes: number;
}

export interface LiveState {
  readonly version: string;
  readonly nowMs: number;
  /** Newest first. */
  readonly jobs: readonly LiveJob[];
  /** Jobs that are not in `jobs`. */
  readonly olderJobs: number;
  readonly workers: readonly LiveWorker[];
}

/** Work that was finished in an interval. */
export interface Finished {
  readonly fromMs: number;
  readonly tasks: number;
  readonly nonzeros: number;
  readonly fits: number;
}

export interface Throughput {
  readonly binMs: number;
  readonly bins: readonly Finished[];
  /** Tasks, nonzeros and fits of all intervals. */
  readonly total: Omit<Finished, 'fromMs'>;
}

/** One line of a job's story; fields that do not apply are absent. */
export interface LiveEvent {
  readonly kind: string;
  readonly text: string;
  readonly atMs: number;
  readonly stage?: string;
  readonly taskId?: string;
  readonly workerId?: string;
  readonly attempt?: number;
  /** Of failures and retries: the family of the error. */
  readonly reason?: string;
}

export interface LiveFailure {
  readonly tag: string;
  readonly message: string;
  readonly hint: string;
  /** Every attempt at the task that failed, one line each; absent when it was no task. */
  readonly story?: string;
}

/** One job, with what a reader of its page looks for. */
export interface LiveJobDetails {
  readonly nowMs: number;
  readonly job: LiveJob;
  readonly failure: LiveFailure | null;
  readonly warnings: readonly string[];
  readonly throughput: Throughput;
  /** The newest, oldest first. */
  readonly events: readonly LiveEvent[];
  /** Those that tell of trouble, however long ago. */
  readonly troubles: readonly LiveEvent[];
}
