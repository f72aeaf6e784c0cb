import { ERROR_POLICIES } from '@shardex/shared/errors';
import type { TaskId } from '@shardex/shared/ids';
import type { MeasuredReport } from './job-planner-port.js';
import type { Claim, LogEntry } from './job-events.js';
import type { AbandonedTask, AttemptOutcome, Failure, Job, LeasedTask, LeaseRecord, TaskCore } from './job-state.js';
import { addWarnings, advanceJob } from './job-stages.js';
import { closeIfQuiet, failJob } from './job-stop.js';
import { failureOfTask } from './job-story.js';
import { aboutTask, coreOf, endAttempt, log, retryDelayMs, setStage, setTask, type Turn } from './job-turn.js';
import { reopenLost } from './lost-output.js';
import { leaseAt, otherThan, type HeldTask } from './task-holders.js';
import { beginSplit, splitAnswered } from './task-split.js';

/** One attempt in a worker's hands. */
export interface Holding {
  readonly job: Job;
  readonly task: HeldTask;
  readonly lease: LeaseRecord;
}

/** The task and the attempt, if this claim is one that holds it now. */
export function heldBy(turn: Turn, claim: Claim): Holding | null {
  const held = heldAt(turn, claim);
  return held?.lease.attempt === claim.attempt ? held : null;
}

/** Whatever attempt at the task this worker holds now. */
export function heldAt(turn: Turn, { workerId, taskId }: Omit<Claim, 'attempt'>): Holding | null {
  const known = jobAndTask(turn, taskId);
  if (known === null || (known.task.state !== 'leased' && known.task.state !== 'abandoned')) return null;
  const lease = leaseAt(known.task, workerId);
  return lease === undefined ? null : { job: known.job, task: known.task, lease };
}

function jobAndTask(turn: Turn, taskId: TaskId) {
  const jobId = turn.state.jobOfTask.get(taskId);
  const job = jobId === undefined ? undefined : turn.state.jobs.get(jobId);
  const task = job?.tasks.get(taskId);
  return job === undefined || task === undefined ? null : { job, task };
}

/** A worker reports success. @returns whether the report was the current attempt's of a live job */
export function taskCompleted(turn: Turn, claim: Claim, report: MeasuredReport): boolean {
  const held = currentOrStale(turn, claim, 'its completion');
  if (held === null) return false;
  const { job, task, lease } = held;
  if (task.state === 'abandoned') {
    letGo(turn, job, task, lease);
    return false;
  }
  const other = otherThan(task, lease);
  const ended = endAttempt(turn, task, lease, 'done');
  // The other one learns by its next heartbeat that nobody waits for it; what it may still commit are the same bytes.
  const core = other === null ? ended : endAttempt(turn, ended, other, 'outrun');
  setTask(turn, job, { ...core, state: 'done', report, doneMs: turn.nowMs, resumed: false });
  log(turn, 'task-done', 'done', { ...aboutTask(job, task, lease), report });
  if (other !== null) log(turn, 'task-outrun', 'another attempt was done first', aboutTask(job, task, other));
  addWarnings(turn, job, job.stages[task.stage].name, report.warnings);
  advanceJob(turn, job);
  return true;
}

/** A worker reports failure. @returns whether the report was the current attempt's of a live job */
export function taskFailed(turn: Turn, claim: Claim, failure: Failure): boolean {
  const held = currentOrStale(turn, claim, `its failure (${failure.tag})`);
  if (held === null) return false;
  const { job, task, lease } = held;
  if (task.state === 'abandoned') {
    letGo(turn, job, task, lease);
    return false;
  }
  // Nobody cancelled this task here: the worker gives it back because it is stopping, or lost track of it.
  const givenBack = failure.tag === 'Cancelled' || failure.tag === 'StaleAttempt';
  endLease(turn, job, task, lease, givenBack ? 'given-back' : 'failed', failure, { retryable: givenBack });
  return true;
}

function currentOrStale(turn: Turn, claim: Claim, what: string) {
  const held = heldBy(turn, claim);
  if (held !== null) return held;
  const known = jobAndTask(turn, claim.taskId);
  const about = known === null ? { taskId: claim.taskId } : aboutTask(known.job, known.task);
  log(turn, 'stale-report', `${what} is ignored: this attempt does not hold the task`, {
    ...about,
    workerId: claim.workerId,
    attempt: claim.attempt,
  });
  return null;
}

/**
 * Ends one lease of a live job's task without a result: it will be tried again, here or elsewhere, in halves if it was
 * too large, or fails for good. While another attempt at it runs, that one is the next try.
 *
 * @param over - `retryable`: true when the tag alone would say otherwise; `free`: it does not even use up a free failure
 */
export function endLease(
  turn: Turn,
  job: Job,
  task: LeasedTask,
  lease: LeaseRecord,
  outcome: AttemptOutcome,
  failure: Failure,
  over: { readonly retryable?: boolean; readonly free?: boolean } = {},
): void {
  if (task.double?.attempt === lease.attempt) {
    endDouble(turn, job, task, task.double, outcome, failure);
    return;
  }
  const policy = ERROR_POLICIES[failure.tag];
  const ended = endAttempt(turn, task, lease, outcome, failure);
  const core = {
    ...ended,
    countedFailures: ended.countedFailures + (policy.countsAsAttempt && over.free !== true ? 1 : 0),
    freeFailures: ended.freeFailures + (policy.countsAsAttempt || over.free === true ? 0 : 1),
  };
  const about = { ...aboutTask(job, task, lease), reason: failure.tag };
  const { double } = task;
  if (double === null && over.free !== true && beginSplit(turn, job, core, failure, about)) return;
  if (failsForGood(turn, job, core, failure, about, over.retryable === true, double)) return;
  const { options } = turn.state;
  const failures = core.countedFailures + core.freeFailures;
  // Only a failure of the task itself is worth a pause; a task that was returned may go elsewhere at once.
  const delayMs = outcome === 'failed' ? retryDelayMs(options.retryDelayMs, failures) : 0;
  const notBeforeMs = turn.nowMs + delayMs;
  const avoid = over.free === true ? null : { workerId: lease.workerId, untilMs: notBeforeMs + options.leaseMs };
  if (double === null) setTask(turn, job, { ...core, state: 'ready', notBeforeMs, avoid });
  else setTask(turn, job, { ...core, state: 'leased', lease: double, double: null });
  job.stages[task.stage].retries += over.free === true ? 0 : 1;
  log(turn, over.free === true ? 'task-returned' : 'task-retried', failure.message, about);
  reopenLost(turn, job, failure, lease.grantedMs);
  advanceJob(turn, job);
}

/**
 * A second attempt ends without a result while the first one runs. The task was no worse off without it, so nothing is
 * counted; what is wrong with the task itself the first attempt will tell.
 */
function endDouble(
  turn: Turn,
  job: Job,
  task: LeasedTask,
  double: LeaseRecord,
  outcome: AttemptOutcome,
  failure: Failure,
): void {
  const core = endAttempt(turn, task, double, outcome, failure);
  setTask(turn, job, { ...core, state: 'leased', lease: task.lease, double: null });
  log(turn, 'double-lost', failure.message, { ...aboutTask(job, task, double), reason: failure.tag });
}

/**
 * Fails the task, and with it its job, when another try would not help or there were too many.
 *
 * @param running - the attempt that still runs beside the one that failed
 * @returns whether it did
 */
function failsForGood(
  turn: Turn,
  job: Job,
  core: TaskCore,
  failure: Failure,
  about: Omit<LogEntry, 'kind' | 'text' | 'atMs'>,
  isRetryable: boolean,
  running: LeaseRecord | null = null,
): boolean {
  const { options } = turn.state;
  const stage = job.stages[core.stage];
  const spent = core.countedFailures >= options.maxAttempts || core.freeFailures >= options.maxFreeFailures;
  if (!spent && (ERROR_POLICIES[failure.tag].retryable || isRetryable)) return false;
  const last = running === null ? core : endAttempt(turn, core, running, 'abandoned');
  setTask(turn, job, { ...last, state: 'failed', failure });
  setStage(turn, job, stage, { state: 'failed' });
  log(turn, 'task-failed', failure.message, about);
  if (running !== null) log(turn, 'task-abandoned', 'the task has failed', aboutTask(job, core, running));
  failJob(turn, job, failureOfTask(job, last, stage.name, failure));
  return true;
}

/** The planner could not halve a task: that counts as one more failure, and the task is tried as it is. */
export function taskSplitFailed(turn: Turn, job: Job, taskId: TaskId, failure: Failure): void {
  const task = splitAnswered(turn, job, taskId);
  if (task === null) return;
  const core = { ...coreOf(task), countedFailures: task.countedFailures + 1 };
  const about = { ...aboutTask(job, task), reason: failure.tag };
  if (failsForGood(turn, job, core, failure, about, false)) return;
  const notBeforeMs = turn.nowMs + retryDelayMs(turn.state.options.retryDelayMs, core.countedFailures);
  setTask(turn, job, { ...core, state: 'ready', notBeforeMs, avoid: null });
  log(turn, 'task-retried', `it could not be halved: ${failure.message}`, about);
}

/** A worker no longer holds a task of a job that has stopped. */
export function letGo(turn: Turn, job: Job, task: AbandonedTask, lease: LeaseRecord): void {
  const core = endAttempt(turn, task, lease, 'abandoned');
  const other = otherThan(task, lease);
  if (other === null) setTask(turn, job, { ...core, state: 'dropped' });
  else setTask(turn, job, { ...core, state: 'abandoned', lease: other, double: null });
  closeIfQuiet(turn, job);
}
