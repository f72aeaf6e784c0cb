import type { JobId, TaskId, WorkerId } from '@shardex/shared/ids';
import type { TaskSpec } from '@shardex/shared/artifacts';
import type { JobSpec, MeasuredReport, PlannedTask, PreparedJob, ReductionReport } from './job-planner-port.js';
import type { JobRecord } from './job-record.js';
import type { Failure, PullId, WorkerCapabilities } from './job-state.js';

interface At {
  /** Milliseconds of the clock the machine is driven with. */
  readonly atMs: number;
}
interface OfStage {
  readonly jobId: JobId;
  readonly stage: string;
}
interface OfTask extends OfStage {
  readonly taskId: TaskId;
}
/** A look at a job's scratch. */
interface Audit {
  readonly jobId: JobId;
  /** When it was asked for: what was finished later may have come after the look. */
  readonly sinceMs: number;
}
/** A worker's claim to one attempt. */
export interface Claim {
  readonly workerId: WorkerId;
  readonly taskId: TaskId;
  readonly attempt: number;
}

/** Everything that can happen to the machine. Ids and the clock come with the event: the machine makes neither. */
export type MachineEvent = At &
  (
    | { readonly kind: 'jobSubmitted'; readonly jobId: JobId; readonly spec: JobSpec; readonly prepared: PreparedJob }
    /** A job of an earlier life of the coordinator; the highest attempt that was granted there of each task. */
    | {
        readonly kind: 'jobRestored';
        readonly record: JobRecord;
        readonly attempts: ReadonlyMap<TaskId, number>;
      }
    | ({ readonly kind: 'stagePlanned'; readonly tasks: readonly PlannedTask[] } & OfStage)
    | ({ readonly kind: 'taskSplit'; readonly halves: readonly [PlannedTask, PlannedTask] } & OfTask)
    | ({ readonly kind: 'taskSplitFailed'; readonly failure: Failure } & OfTask)
    /** Answer to `auditScratch`: what of the finished work is not there any more, or not whole. */
    | ({ readonly kind: 'scratchAudited'; readonly missing: readonly string[] } & Audit)
    | { readonly kind: 'scratchAuditFailed'; readonly jobId: JobId; readonly failure: Failure }
    | ({ readonly kind: 'stagePlanFailed'; readonly failure: Failure } & OfStage)
    | ({ readonly kind: 'reductionProgressed'; readonly fraction: number } & OfStage)
    | ({ readonly kind: 'reductionDone'; readonly report: ReductionReport } & OfStage)
    | ({ readonly kind: 'reductionFailed'; readonly failure: Failure } & OfStage)
    | { readonly kind: 'cancelRequested'; readonly jobId: JobId; readonly reason: string }
    | { readonly kind: 'workerRegistered'; readonly workerId: WorkerId; readonly capabilities: WorkerCapabilities }
    | { readonly kind: 'pullRequested'; readonly workerId: WorkerId; readonly pullId: PullId }
    /** Whoever waited for this pull has gone. */
    | { readonly kind: 'pullEnded'; readonly pullId: PullId }
    /** The grant could not be handed to its worker. */
    | ({ readonly kind: 'grantUndelivered' } & Claim)
    | {
        readonly kind: 'heartbeat';
        readonly workerId: WorkerId;
        readonly progress: readonly { readonly taskId: TaskId; readonly attempt: number; readonly fraction: number }[];
        readonly residentBytes: number;
      }
    | ({ readonly kind: 'taskCompleted'; readonly report: MeasuredReport } & Claim)
    | ({ readonly kind: 'taskFailed'; readonly failure: Failure } & Claim)
    | { readonly kind: 'workerDrained'; readonly workerId: WorkerId; readonly reason: string }
    | { readonly kind: 'tick' }
  );

/** An attempt handed to a worker. */
export interface Grant extends Claim {
  readonly jobId: JobId;
  readonly stage: string;
  readonly spec: TaskSpec;
  readonly scratchUri: string;
  readonly output: string;
  readonly memoryBytes: number;
}

export type LogKind =
  | 'job-submitted'
  | 'job-restored'
  | 'job-started'
  | 'job-cancelling'
  | 'job-succeeded'
  | 'job-failed'
  | 'job-cancelled'
  | 'stage-started'
  | 'stage-planned'
  | 'stage-done'
  | 'stage-retried'
  | 'stage-reopened'
  | 'task-granted'
  | 'task-done'
  | 'task-retried'
  | 'task-failed'
  | 'task-returned'
  | 'task-abandoned'
  | 'task-split'
  | 'task-doubled'
  | 'double-lost'
  | 'task-outrun'
  | 'lease-expired'
  | 'stale-report'
  | 'late-answer'
  | 'warning'
  | 'worker-registered'
  | 'worker-drained'
  | 'worker-lost'
  | 'clock-paused';

/** One line of the story; the fields that do not apply are left out. */
export interface LogEntry {
  readonly kind: LogKind;
  readonly text: string;
  readonly atMs: number;
  readonly jobId?: JobId;
  readonly stage?: string;
  readonly taskId?: TaskId;
  readonly workerId?: WorkerId;
  readonly attempt?: number;
  /** For `task-done`: figures for the metrics. */
  readonly report?: MeasuredReport;
  /** For failures and retries: the tag. */
  readonly reason?: string;
}

/** Everything the machine asks its driver to do, in order. */
export type Effect =
  | ({ readonly kind: 'planStage' } & OfStage)
  | ({ readonly kind: 'runReduction' } & OfStage)
  /** The task was too large: plan its two halves in its place, durably. */
  | ({ readonly kind: 'splitTask'; readonly halves: readonly [TaskSpec, TaskSpec] } & OfTask)
  /** Some finished work is gone: make what belongs to no stage again, and tell what else is missing. */
  | ({ readonly kind: 'auditScratch' } & Audit)
  /** What a restart has to know of this job has changed. */
  | { readonly kind: 'recordJob'; readonly jobId: JobId }
  /** The job has stopped: planning or reductions that are under way should end. */
  | { readonly kind: 'abortWork'; readonly jobId: JobId }
  | { readonly kind: 'grant'; readonly pullId: PullId; readonly grant: Grant }
  /** The pull gets nothing: its worker is not, or no longer, registered. */
  | { readonly kind: 'pullRefused'; readonly pullId: PullId }
  /** Answer to `taskCompleted` and `taskFailed`. */
  | { readonly kind: 'reportAnswered'; readonly accepted: boolean }
  /** Answer to `heartbeat`. */
  | { readonly kind: 'heartbeatAnswered'; readonly abandon: readonly TaskId[]; readonly unknownWorker: boolean }
  /** Something that a watcher of this job can see has changed. */
  | { readonly kind: 'jobChanged'; readonly jobId: JobId }
  /** The job has ended and is in nobody's hands any more. */
  | { readonly kind: 'releaseJob'; readonly jobId: JobId }
  | { readonly kind: 'log'; readonly entry: LogEntry };
