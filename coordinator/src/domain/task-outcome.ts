import { ERROR_POLICIES } from '@shardex/shared/errors';
import type { TaskId } from '@shardex/shared/ids';
import type { MeasuredReport } from './job-planner-port.js';
import type { Claim, LogEntry } from './job-events.js';
import type { AbandonedTask, AttemptOutcome, Failure, Job, LeasedTask, TaskCore } from './job-state.js';
import { addWarnings, advanceJob } from './job-stages.js';
import { closeIfQuiet, failJob } from './job-stop.js';
import { failureOfTask } from './job-story.js';
import { aboutTask, coreOf, endAttempt, log, retryDelayMs, setStage, setTask, type Turn } from './job-turn.js';
import { reopenLost } from './lost-output.js';
import { beginSplit, splitAnswered } from './task-split.js';

type HeldTask = LeasedTask | AbandonedTask;

/** The task, if this claim is the one that holds it now. */
export function heldBy(turn: Turn, claim: Claim): { readonly job: Job; readonly task: HeldTask } | null {
  const task = jobAndTask(turn, claim.taskId);
  if (task === null || (task.task.state !== 'leased' && task.task.state !== 'abandoned')) return null;
  const { lease } = task.task;
  const current = lease.attempt === claim.attempt && lease.workerId === claim.workerId;
  return current ? { job: task.job, task: task.task } : null;
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
  const { job, task } = held;
  if (task.state === 'abandoned') {
    letGo(turn, job, task);
    return false;
  }
  const core = endAttempt(turn, task, 'done');
  setTask(turn, job, { ...core, state: 'done', report, doneMs: turn.nowMs, resumed: false });
  log(turn, 'task-done', 'done', { ...aboutTask(job, task, task.lease), report });
  addWarnings(turn, job, job.stages[task.stage].name, report.warnings);
  advanceJob(turn, job);
  return true;
}

/** A worker reports failure. @returns whether the report was the current attempt's of a live job */
export function taskFailed(turn: Turn, claim: Claim, failure: Failure): boolean {
  const held = currentOrStale(turn, claim, `its failure (${failure.tag})`);
  if (held === null) return false;
  const { job, task } = held;
  if (task.state === 'abandoned') {
    letGo(turn, job, task);
    return false;
  }
  // Nobody cancelled this task here: the worker gives it back because it is stopping, or lost track of it.
  const givenBack = failure.tag === 'Cancelled' || failure.tag === 'StaleAttempt';
  endLease(turn, job, task, givenBack ? 'given-back' : 'failed', failure, { retryable: givenBack });
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
 * Ends the lease of a live job's task without a result: it will be tried again, here or elsewhere, in halves if it was
 * too large, or fails for good.
 *
 * @param over - `retryable`: true when the tag alone would say otherwise; `free`: it does not even use up a free failure
 */
export function endLease(
  turn: Turn,
  job: Job,
  task: LeasedTask,
  outcome: AttemptOutcome,
  failure: Failure,
  over: { readonly retryable?: boolean; readonly free?: boolean } = {},
): void {
  const policy = ERROR_POLICIES[failure.tag];
  const ended = endAttempt(turn, task, outcome, failure);
  const core = {
    ...ended,
    countedFailures: ended.countedFailures + (policy.countsAsAttempt && over.free !== true ? 1 : 0),
    freeFailures: ended.freeFailures + (policy.countsAsAttempt || over.free === true ? 0 : 1),
  };
  const about = { ...aboutTask(job, task, task.lease), reason: failure.tag };
  if (over.free !== true && beginSplit(turn, job, core, failure, about)) return;
  if (failsForGood(turn, job, core, failure, about, over.retryable === true)) return;
  const { options } = turn.state;
  const failures = core.countedFailures + core.freeFailures;
  // Only a failure of the task itself is worth a pause; a task that was returned may go elsewhere at once.
  const delayMs = outcome === 'failed' ? retryDelayMs(options.retryDelayMs, failures) : 0;
  const notBeforeMs = turn.nowMs + delayMs;
  const avoid = over.free === true ? null : { workerId: task.lease.workerId, untilMs: notBeforeMs + options.leaseMs };
  setTask(turn, job, { ...core, state: 'ready', notBeforeMs, avoid });
  job.stages[task.stage].retries += over.free === true ? 0 : 1;
  log(turn, over.free === true ? 'task-returned' : 'task-retried', failure.message, about);
  reopenLost(turn, job, failure, task.lease.grantedMs);
  advanceJob(turn, job);
}

/** Fails the task, and with it its job, when another try would not help or there were too many. @returns whether it did */
function failsForGood(
  turn: Turn,
  job: Job,
  core: TaskCore,
  failure: Failure,
  about: Omit<LogEntry, 'kind' | 'text' | 'atMs'>,
  isRetryable: boolean,
): boolean {
  const { options } = turn.state;
  const stage = job.stages[core.stage];
  const spent = core.countedFailures >= options.maxAttempts || core.freeFailures >= options.maxFreeFailures;
  if (!spent && (ERROR_POLICIES[failure.tag].retryable || isRetryable)) return false;
  setTask(turn, job, { ...core, state: 'failed', failure });
  setStage(turn, job, stage, { state: 'failed' });
  log(turn, 'task-failed', failure.message, about);
  failJob(turn, job, failureOfTask(job, core, stage.name, failure));
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
export function letGo(turn: Turn, job: Job, task: AbandonedTask): void {
  setTask(turn, job, { ...endAttempt(turn, task, 'abandoned'), state: 'dropped' });
  closeIfQuiet(turn, job);
}
