import type { ErrorDetails, ErrorTag } from '@shardex/shared/errors';
import type { JobId, TaskId, WorkerId } from '@shardex/shared/ids';
import type { TaskSpec } from '@shardex/shared/artifacts';
import type { JobHistory, JobSpec, MeasuredReport, PreparedJob } from './job-planner-port.js';

/** A failure by value, as it crosses processes and is kept in a task's history. */
export interface Failure {
  readonly tag: ErrorTag;
  readonly message: string;
  readonly hint: string;
  readonly details: ErrorDetails;
}

/** How one attempt at a task ended. */
export type AttemptOutcome =
  | 'done'
  | 'failed'
  | 'timed-out'
  | 'lease-expired'
  | 'worker-lost'
  | 'given-back'
  | 'undelivered'
  | 'abandoned'
  /** Another attempt at the same task was done first. */
  | 'outrun'
  | 'result-lost';

/** One line of a task's story. */
export interface AttemptRecord {
  readonly attempt: number;
  readonly workerId: WorkerId;
  readonly host: string;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly outcome: AttemptOutcome;
  readonly failure: Failure | null;
}

/** What does not change while a task goes through its states, and what only grows. */
export interface TaskCore {
  readonly taskId: TaskId;
  readonly jobId: JobId;
  /** Index of the stage in its job. */
  readonly stage: number;
  /** Place in the stage; tasks are granted in this order. */
  readonly ordinal: number;
  readonly spec: TaskSpec;
  readonly scratchUri: string;
  readonly output: string;
  readonly memoryBytes: number;
  /** Expected cost in any unit that all tasks of the stage share. */
  readonly work: number;
  /** How often what was planned first has been halved to get this task; each half takes half of the place in the stage. */
  readonly splits: number;
  /** The task this one is a half of, in this life of the coordinator. */
  readonly halfOf: TaskId | null;
  /** Attempts granted so far; the next one gets this number plus one. */
  readonly attemptsGranted: number;
  /** Failures that use up attempts. */
  readonly countedFailures: number;
  /** Failures the task is not to blame for; they have their own limit. */
  readonly freeFailures: number;
  /** Second attempts that were begun while a first one ran; they have their own limit. */
  readonly doublesGranted: number;
  readonly story: readonly AttemptRecord[];
}

/** One attempt in one worker's hands. */
export interface LeaseRecord {
  readonly workerId: WorkerId;
  readonly attempt: number;
  readonly grantedMs: number;
  readonly expiresMs: number;
  /** Work done as the worker told, 0 to 1. */
  readonly fraction: number;
  /** The worker has named this lease in a heartbeat, so the grant did arrive. */
  readonly confirmed: boolean;
}

/** Waits to be granted, not before `notBeforeMs`, and for a while not to the worker where it failed. */
export interface ReadyTask extends TaskCore {
  readonly state: 'ready';
  readonly notBeforeMs: number;
  readonly avoid: { readonly workerId: WorkerId; readonly untilMs: number } | null;
}
/** One worker is on it, or two when the first took too long. */
export interface LeasedTask extends TaskCore {
  readonly state: 'leased';
  readonly lease: LeaseRecord;
  /** The second attempt at the same time, at another worker; whichever is done first counts. */
  readonly double: LeaseRecord | null;
}
/** Its output is committed. */
export interface DoneTask extends TaskCore {
  readonly state: 'done';
  readonly report: MeasuredReport;
  readonly doneMs: number;
  /** Found finished by `--resume`: no attempt was made. */
  readonly resumed: boolean;
}
/** It failed for good, and with it its job. */
export interface FailedTask extends TaskCore {
  readonly state: 'failed';
  readonly failure: Failure;
}
/** It was too large for memory or time; the planner is halving it. */
export interface SplittingTask extends TaskCore {
  readonly state: 'splitting';
}
/** Two halves stand in its place; it is kept for the story. */
export interface SplitTask extends TaskCore {
  readonly state: 'split';
}
/** Its job has stopped, and a worker has not let go of it yet. */
export interface AbandonedTask extends TaskCore {
  readonly state: 'abandoned';
  readonly lease: LeaseRecord;
  readonly double: LeaseRecord | null;
}
/** Its job stopped before it was done. */
export interface DroppedTask extends TaskCore {
  readonly state: 'dropped';
}

export type Task =
  ReadyTask | LeasedTask | DoneTask | FailedTask | SplittingTask | SplitTask | AbandonedTask | DroppedTask;
export type TaskStateName = Task['state'];

export type StageStatus =
  /** Earlier stages are not done, or the stage waits for another try. */
  | { readonly state: 'waiting'; readonly notBeforeMs: number }
  /** The planner is cutting it into tasks. */
  | { readonly state: 'planning' }
  /** Workers are on its tasks. */
  | { readonly state: 'running' }
  /** The coordinator is on it. */
  | { readonly state: 'reducing'; readonly sinceMs: number; readonly fraction: number }
  | { readonly state: 'done'; readonly doneMs: number }
  /** It made its job fail. */
  | { readonly state: 'failed' }
  /** Its job stopped before it was done. */
  | { readonly state: 'stopped' };
export type StageStateName = StageStatus['state'];

export interface Stage {
  readonly name: string;
  readonly executor: 'workers' | 'coordinator';
  readonly weight: number;
  /** Name of the object a coordinator's stage commits. */
  readonly output: string | null;
  status: StageStatus;
  startedMs: number | null;
  endedMs: number | null;
  tasksTotal: number;
  /** Ids of the ready tasks, in order of ordinal. */
  ready: TaskId[];
  tasksDone: number;
  retries: number;
  /** Failures of planning or reduction, which the coordinator does itself. */
  countedFailures: number;
  freeFailures: number;
  /** Bytes of reductions; tasks carry their own in their reports. */
  bytesRead: number;
  bytesWritten: number;
}

export type JobStatus =
  /** Accepted; no worker has begun. */
  | { readonly state: 'queued' }
  | { readonly state: 'running' }
  /** Someone asked for it to stop; workers or the coordinator still hold some of it. */
  | { readonly state: 'cancelling'; readonly reason: string }
  | { readonly state: 'succeeded' }
  | { readonly state: 'failed'; readonly failure: Failure }
  | { readonly state: 'cancelled'; readonly reason: string };
export type JobStateName = JobStatus['state'];

export interface Job {
  readonly jobId: JobId;
  readonly spec: JobSpec;
  readonly prepared: PreparedJob;
  /** Order of submission. */
  readonly serial: number;
  readonly submittedMs: number;
  status: JobStatus;
  startedMs: number | null;
  endedMs: number | null;
  readonly stages: Stage[];
  /** Emptied when the job has ended and nobody holds any of it. */
  readonly tasks: Map<TaskId, Task>;
  /** Who makes which output, for lost results. */
  readonly taskOfOutput: Map<string, TaskId>;
  /** Attempts in workers' hands, at tasks leased and abandoned. */
  held: number;
  /** Work of the coordinator that was begun and not yet ended: stages planned or reduced, tasks split, and the audit. */
  readonly inFlight: Set<string>;
  /** Attempts granted before the coordinator was started again: numbers go on where they were. */
  readonly attemptsBefore: ReadonlyMap<TaskId, number>;
  warnings: string[];
  /** Turn of the last grant; jobs with equally many leases take turns by it. */
  lastGrant: number;
  /** Set when the job has ended and nobody holds any of it: its tasks are forgotten, their figures are here. */
  finalHistory: JobHistory | null;
}

export interface WorkerCapabilities {
  readonly version: string;
  readonly host: string;
  readonly pid: number;
  readonly threads: number;
  /** Memory it may use in all, in bytes; 0: unknown, taken as enough. */
  readonly memoryBytes: number;
}

/** A worker that is registered. One that drains or is lost is taken out of the registry. */
export interface Worker {
  readonly workerId: WorkerId;
  readonly capabilities: WorkerCapabilities;
  readonly registeredMs: number;
  lastSeenMs: number;
  residentBytes: number;
  readonly held: Set<TaskId>;
}

export type PullId = number;

export interface MachineOptions {
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  /** A worker that was not heard of for so long is lost. */
  readonly workerTimeoutMs: number;
  readonly maxAttempts: number;
  /** Limit of failures that do not count as attempts, so that nothing loops for ever. */
  readonly maxFreeFailures: number;
  /** A task that takes longer is halved, or tried again; 0: no limit. */
  readonly taskTimeoutMs: number;
  /** A task may be given to a second worker when it has run for so long, and much longer than others did; 0: never. */
  readonly doubleAfterMs: number;
  /** Delay before the second attempt; it doubles with each further one, up to 64 times. */
  readonly retryDelayMs: number;
  /** Ended jobs that are remembered; older ones are forgotten. */
  readonly endedJobsKept: number;
}

export const DEFAULT_MACHINE_OPTIONS: MachineOptions = {
  leaseMs: 30_000,
  // A cancelled job's tasks learn of it by the next heartbeat.
  heartbeatMs: 2_000,
  workerTimeoutMs: 30_000,
  // Four, as Spark and Ballista: a fault of one machine is outlived twice over, a fault of the data is reported soon.
  maxAttempts: 4,
  maxFreeFailures: 10,
  // Tasks are cut for about a minute: one that takes an hour hangs, or was cut far too large.
  taskTimeoutMs: 3_600_000,
  // Below this a second attempt, with what it has to read first, gains nothing that anyone would notice.
  doubleAfterMs: 5_000,
  retryDelayMs: 500,
  endedJobsKept: 200,
};

/** Everything the machine knows. Only `step` changes it. */
export interface MachineState {
  readonly options: MachineOptions;
  readonly jobs: Map<JobId, Job>;
  readonly jobOfTask: Map<TaskId, JobId>;
  readonly workers: Map<WorkerId, Worker>;
  /** Pulls that wait for work, oldest first. */
  readonly pulls: Map<PullId, WorkerId>;
  /** Time of the latest event; time never runs backwards here. */
  nowMs: number;
  lastTickMs: number | null;
  jobsSubmitted: number;
  grants: number;
}
