import type { TaskAssignment, TaskReport } from '@shardex/shared/artifacts';
import type { ShardexError } from '@shardex/shared/errors';
import type { JobId, TaskId, WorkerId } from '@shardex/shared/ids';

/** One attempt at one task, granted to this worker. */
export interface HeldTask extends TaskAssignment {
  readonly jobId: JobId;
  readonly stage: string;
  readonly taskId: TaskId;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** W3C trace context of the attempt; absent: none. */
  readonly traceParent?: string;
}

/** Names an attempt: a task can come back to the worker that lost it, as another attempt. */
export type LeaseKey = string & { readonly leaseKey: unique symbol };

export const leaseKey = ({ taskId, attempt }: Pick<HeldTask, 'taskId' | 'attempt'>): LeaseKey =>
  `${taskId}#${attempt}` as LeaseKey;

/** A task's report with what the worker measured around it. */
export interface MeasuredReport extends TaskReport {
  readonly wallMs: number;
  /** Largest resident set of the worker so far, in bytes. */
  readonly peakResidentBytes: number;
}

/** How an attempt ended on its thread. */
export type TaskOutcome =
  | { readonly kind: 'completed'; readonly report: MeasuredReport }
  | { readonly kind: 'failed'; readonly error: ShardexError };

/**
 * What the worker does about one lease. Each of them takes one slot.
 *
 * - `running`: a thread works on it
 * - `abandoned`: nobody wants the result any more; the thread has yet to let go
 * - `reporting`: it has ended and the coordinator has yet to hear of it
 */
export type Lease =
  | { readonly status: 'running'; readonly task: HeldTask }
  | { readonly status: 'abandoned'; readonly task: HeldTask }
  | {
      readonly status: 'reporting';
      readonly task: HeldTask;
      readonly outcome: TaskOutcome;
      /** A call with the report is under way. */
      readonly inFlight: boolean;
      /** Registration under which the coordinator refused the report once: a second refusal is final. */
      readonly refusedAs: WorkerId | null;
    };

export type ReportingLease = Extract<Lease, { status: 'reporting' }>;
