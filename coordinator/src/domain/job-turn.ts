import type { JobId, TaskId } from '@shardex/shared/ids';
import { InvariantBrokenError } from '@shardex/shared/errors';
import type { Effect, LogEntry, LogKind } from './job-events.js';
import { assertMove } from './job-moves.js';
import type {
  AttemptOutcome,
  Failure,
  Job,
  JobStatus,
  LeaseRecord,
  MachineState,
  Stage,
  StageStatus,
  Task,
  TaskCore,
} from './job-state.js';
import { tellJob, tellTaskState } from './job-story.js';
import { leaseAt, leasesOf } from './task-holders.js';

/** One call of `step`: the state it owns, the time, and the effects it has gathered. */
export interface Turn {
  readonly state: MachineState;
  readonly nowMs: number;
  readonly effects: Effect[];
  readonly changed: Set<JobId>;
  /** Jobs of which a restart has to know something new. */
  readonly recorded: Set<JobId>;
}

/** Adds a line to the story. */
export function log(
  turn: Turn,
  kind: LogKind,
  text: string,
  about: Omit<LogEntry, 'kind' | 'text' | 'atMs'> = {},
): void {
  turn.effects.push({ kind: 'log', entry: { kind, text, atMs: turn.nowMs, ...about } });
}

export const isLive = (job: Job): boolean => job.status.state === 'queued' || job.status.state === 'running';

/** Log fields of a task's attempt. */
export function aboutTask(job: Job, task: TaskCore, lease?: LeaseRecord): Omit<LogEntry, 'kind' | 'text' | 'atMs'> {
  const base = { jobId: job.jobId, stage: job.stages[task.stage].name, taskId: task.taskId };
  return lease === undefined ? base : { ...base, workerId: lease.workerId, attempt: lease.attempt };
}

/** The one door for a job's status. */
export function setJob(turn: Turn, job: Job, status: JobStatus): void {
  assertMove('job', job.status.state, status.state, () => tellJob(job));
  job.status = status;
  if (status.state === 'running') job.startedMs = turn.nowMs;
  if (status.state === 'succeeded' || status.state === 'failed' || status.state === 'cancelled')
    job.endedMs = turn.nowMs;
  turn.changed.add(job.jobId);
  turn.recorded.add(job.jobId);
}

/** A job runs from the moment that someone begins to work on it. */
export function startJob(turn: Turn, job: Job): void {
  if (job.status.state !== 'queued') return;
  setJob(turn, job, { state: 'running' });
  log(turn, 'job-started', 'the first work has begun', { jobId: job.jobId });
}

/** The one door for a stage's status. */
export function setStage(turn: Turn, job: Job, stage: Stage, status: StageStatus): void {
  assertMove('stage', stage.status.state, status.state, () => `stage ${stage.name} of ${tellJob(job)}`);
  stage.status = status;
  if (status.state === 'planning' || status.state === 'reducing') stage.startedMs ??= turn.nowMs;
  const ended = status.state === 'done' || status.state === 'failed' || status.state === 'stopped';
  stage.endedMs = ended && stage.startedMs !== null ? turn.nowMs : null;
  turn.changed.add(job.jobId);
}

/** The one door for a task's state: it also keeps the counts and queues that follow from it. */
export function setTask(turn: Turn, job: Job, next: Task): void {
  const before = taskOf(job, next.taskId);
  assertMove('task', before.state, next.state, () => tellTaskState(before));
  const stage = job.stages[next.stage];
  if (before.state === 'ready') stage.ready.splice(stage.ready.indexOf(before.taskId), 1);
  if (before.state === 'done') stage.tasksDone -= 1;
  countHolders(turn, job, before, next);
  job.tasks.set(next.taskId, next);
  if (next.state === 'ready') insertReady(job, stage, next);
  if (next.state === 'done') stage.tasksDone += 1;
  turn.changed.add(job.jobId);
}

function countHolders(turn: Turn, job: Job, before: Task, next: Task): void {
  const { workers } = turn.state;
  const leasesBefore = leasesOf(before);
  const leasesNow = leasesOf(next);
  job.held += leasesNow.length - leasesBefore.length;
  for (const { workerId } of leasesBefore) {
    if (leaseAt(next, workerId) === undefined) workers.get(workerId)?.held.delete(next.taskId);
  }
  for (const { workerId } of leasesNow) workers.get(workerId)?.held.add(next.taskId);
}

/** Keeps the queue in order of ordinal, so that a task that comes back does not lose its place. */
export function insertReady(job: Job, stage: Stage, task: TaskCore): void {
  let low = 0;
  let high = stage.ready.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (taskOf(job, stage.ready[middle]).ordinal < task.ordinal) low = middle + 1;
    else high = middle;
  }
  stage.ready.splice(low, 0, task.taskId);
}

/** @throws InvariantBrokenError when the job has no such task */
export function taskOf(job: Job, taskId: TaskId): Task {
  const task = job.tasks.get(taskId);
  if (task === undefined) throw new InvariantBrokenError(`task ${taskId} is unknown; ${tellJob(job)}`);
  return task;
}

/** The unchanging part of a task, its story longer by the attempt that ends now. */
export function endAttempt(
  turn: Turn,
  task: TaskCore,
  { workerId, attempt, grantedMs }: LeaseRecord,
  outcome: AttemptOutcome,
  failure: Failure | null = null,
): TaskCore {
  const host = turn.state.workers.get(workerId)?.capabilities.host ?? '';
  const record = { attempt, workerId, host, startedMs: grantedMs, endedMs: turn.nowMs, outcome, failure };
  return { ...coreOf(task), story: [...task.story, record] };
}

/** A task without what belongs to its present state. */
export function coreOf(task: TaskCore): TaskCore {
  return {
    taskId: task.taskId,
    jobId: task.jobId,
    stage: task.stage,
    ordinal: task.ordinal,
    spec: task.spec,
    scratchUri: task.scratchUri,
    output: task.output,
    memoryBytes: task.memoryBytes,
    work: task.work,
    splits: task.splits,
    halfOf: task.halfOf,
    attemptsGranted: task.attemptsGranted,
    countedFailures: task.countedFailures,
    freeFailures: task.freeFailures,
    doublesGranted: task.doublesGranted,
    story: task.story,
  };
}

/** Milliseconds to wait before the next try after `failures` failures: doubling, capped at 64 times the first. */
export const retryDelayMs = (firstMs: number, failures: number): number => firstMs * 2 ** Math.min(failures - 1, 6);
