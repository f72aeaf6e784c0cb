import type { JobId } from '@shardex/shared/ids';
import { historyOf } from './job-history.js';
import type { JobHistory, JobSpec, PreparedJob, StagePlan } from './job-planner-port.js';
import type { Job, JobStatus, Stage } from './job-state.js';

/** What outlives the coordinator of one job: all there is to say of an ended one; of another, how to go on. */
export interface JobRecord {
  readonly jobId: JobId;
  readonly spec: JobSpec;
  readonly prepared: PreparedJob;
  readonly submittedMs: number;
  readonly startedMs: number | null;
  readonly status: JobStatus;
  readonly warnings: readonly string[];
  /** null while the job goes on: its stages are found on scratch. */
  readonly end: {
    readonly endedMs: number;
    readonly stages: readonly Stage[];
    readonly history: JobHistory;
  } | null;
}

/** A job by value, as it is kept for a restart. */
export function recordOf(job: Job): JobRecord {
  const { jobId, spec, prepared, submittedMs, startedMs, endedMs, status, warnings } = job;
  const end =
    endedMs === null ? null : { endedMs, stages: job.stages.map((stage) => ({ ...stage })), history: historyOf(job) };
  return { jobId, spec, prepared, submittedMs, startedMs, status, warnings, end };
}

/** A stage that nobody has begun. */
export function newStage({ name, executor, weight = 1, output }: StagePlan): Stage {
  return {
    name,
    executor,
    weight,
    output: output ?? null,
    status: { state: 'waiting', notBeforeMs: 0 },
    startedMs: null,
    endedMs: null,
    tasksTotal: 0,
    ready: [],
    tasksDone: 0,
    retries: 0,
    countedFailures: 0,
    freeFailures: 0,
    bytesRead: 0,
    bytesWritten: 0,
  };
}
