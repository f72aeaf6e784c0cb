import type { TestName } from '@shardex/shared/config';
import type { JobView, LogEntry, WorkerView } from '../domain/index.js';

/**
 * What the live page asks the coordinator for, as JSON.
 */

/** A job in a few words. */
export interface LiveJob extends Pick<
  JobView,
  'jobId' | 'state' | 'stages' | 'submittedMs' | 'startedMs' | 'endedMs' | 'etaSeconds'
> {
  readonly input: string;
  readonly output: string;
  readonly tests: readonly TestName[];
}

export interface LiveState {
  readonly version: string;
  readonly nowMs: number;
  /** Newest first. */
  readonly jobs: readonly LiveJob[];
  /** Jobs that are not in `jobs`. */
  readonly olderJobs: number;
  readonly workers: readonly WorkerView[];
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

export type LiveEvent = Omit<LogEntry, 'report'>;

/** One job, with what a reader of its page looks for. */
export interface LiveJobDetails {
  readonly nowMs: number;
  readonly job: LiveJob;
  readonly failure: JobView['failure'];
  readonly warnings: readonly string[];
  readonly throughput: Throughput;
  /** The newest, oldest first. */
  readonly events: readonly LiveEvent[];
  /** Those that tell of trouble, however long ago. */
  readonly troubles: readonly LiveEvent[];
}
