import type { JobId, TaskId, WorkerId } from '@shardex/shared/ids';
import type { DeParameters } from '@shardex/shared/config';
import { etaSeconds, heldFractionsOf, stageProgress } from './job-progress.js';
import { leaseAt } from './task-holders.js';
import type { Failure, Job, JobStateName, MachineState, StageStateName } from './job-state.js';

/** A stage as the outside sees it. */
export interface StageView {
  readonly name: string;
  readonly state: StageStateName;
  readonly tasksTotal: number;
  readonly tasksDone: number;
  readonly tasksRunning: number;
  readonly retries: number;
  /** 0 to 1. */
  readonly progress: number;
  readonly startedMs: number | null;
  readonly endedMs: number | null;
}

/** A job as the outside sees it: a copy that stays as it is. */
export interface JobView {
  readonly jobId: JobId;
  readonly state: JobStateName;
  readonly parameters: DeParameters;
  /** Who submitted it; empty where callers are not known. */
  readonly owner: string;
  readonly stages: readonly StageView[];
  readonly submittedMs: number;
  readonly startedMs: number | null;
  readonly endedMs: number | null;
  readonly failure: Failure | null;
  readonly warnings: readonly string[];
  readonly etaSeconds: number | null;
}

/** What a worker is at. */
export interface HeldTaskView {
  readonly jobId: JobId;
  readonly stage: string;
  readonly attempt: number;
  readonly sinceMs: number;
  /** 0 to 1, as the worker told. */
  readonly fraction: number;
}

/** A worker as the outside sees it. */
export interface WorkerView {
  readonly workerId: string;
  readonly host: string;
  readonly pid: number;
  /** Tasks it runs at the same time. */
  readonly threads: number;
  readonly tasksHeld: number;
  readonly tasks: readonly HeldTaskView[];
  readonly lastSeenMs: number;
  readonly residentBytes: number;
  readonly memoryBytes: number;
}

export const hasEnded = (view: Pick<JobView, 'state'>): boolean =>
  view.state === 'succeeded' || view.state === 'failed' || view.state === 'cancelled';

export function viewJob(job: Job, nowMs: number): JobView {
  const fractions = heldFractionsOf(job);
  const running = new Map<number, number>();
  if (job.held > 0) {
    for (const task of job.tasks.values())
      if ('lease' in task) running.set(task.stage, (running.get(task.stage) ?? 0) + 1);
  }
  return {
    jobId: job.jobId,
    state: job.status.state,
    parameters: job.prepared.params,
    owner: job.spec.owner ?? '',
    stages: job.stages.map((stage, index) => ({
      name: stage.name,
      state: stage.status.state,
      tasksTotal: stage.tasksTotal,
      tasksDone: stage.tasksDone,
      tasksRunning: running.get(index) ?? 0,
      retries: stage.retries,
      progress: stageProgress(job, stage, fractions),
      startedMs: stage.startedMs,
      endedMs: stage.endedMs,
    })),
    submittedMs: job.submittedMs,
    startedMs: job.startedMs,
    endedMs: job.endedMs,
    failure: job.status.state === 'failed' ? job.status.failure : failureOfCancel(job),
    warnings: job.warnings,
    etaSeconds: etaSeconds(job, nowMs),
  };
}

function failureOfCancel(job: Job): Failure | null {
  if (job.status.state !== 'cancelled') return null;
  return { tag: 'Cancelled', message: `the job was cancelled: ${job.status.reason}`, hint: '', details: {} };
}

/** Every worker that is registered now. */
export function viewWorkers(state: MachineState): WorkerView[] {
  return [...state.workers.values()].map((worker) => ({
    workerId: worker.workerId,
    host: worker.capabilities.host,
    pid: worker.capabilities.pid,
    threads: worker.capabilities.threads,
    tasksHeld: worker.held.size,
    tasks: [...worker.held].flatMap((taskId) => viewHeld(state, worker.workerId, taskId)),
    lastSeenMs: worker.lastSeenMs,
    residentBytes: worker.residentBytes,
    memoryBytes: worker.capabilities.memoryBytes,
  }));
}

function viewHeld(state: MachineState, workerId: WorkerId, taskId: TaskId): HeldTaskView[] {
  const jobId = state.jobOfTask.get(taskId);
  const job = jobId === undefined ? undefined : state.jobs.get(jobId);
  const task = job?.tasks.get(taskId);
  const lease = task === undefined ? undefined : leaseAt(task, workerId);
  if (job === undefined || task === undefined || lease === undefined) return [];
  const { attempt, grantedMs, fraction } = lease;
  return [{ jobId: job.jobId, stage: job.stages[task.stage].name, attempt, sinceMs: grantedMs, fraction }];
}
