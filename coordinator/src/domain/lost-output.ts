import type { Failure, Job, Stage, Task } from './job-state.js';
import { closeIfQuiet, failJob } from './job-stop.js';
import { failureOfTask } from './job-story.js';
import { coreOf, isLive, log, setStage, setTask, taskOf, type Turn } from './job-turn.js';

/** Key of the audit among the job's work in flight; no stage or task is called so. */
const AUDIT = 'audit of scratch';

/**
 * Makes a lost output again, if `failure` names one, and has the rest of the scratch looked at: where one object is gone
 * others may be.
 *
 * @param sinceMs - when the work that missed it began: an output committed later than that is not the one it missed
 */
export function reopenLost(turn: Turn, job: Job, failure: Failure, sinceMs: number): void {
  const output = failure.details['output'];
  if (failure.tag !== 'ResultLost' || typeof output !== 'string' || !isLive(job)) return;
  reopen(turn, job, output, failure, sinceMs);
  if (!isLive(job) || job.inFlight.has(AUDIT)) return;
  job.inFlight.add(AUDIT);
  turn.effects.push({ kind: 'auditScratch', jobId: job.jobId, sinceMs: turn.nowMs });
}

/** The planner has looked: everything that is missing is made again. */
export function scratchAudited(turn: Turn, job: Job, missing: readonly string[], sinceMs: number): void {
  job.inFlight.delete(AUDIT);
  for (const output of missing) {
    const message = `${output} is gone from scratch`;
    const failure = { tag: 'ResultLost', message, hint: '', details: { output } } as const;
    if (isLive(job)) reopen(turn, job, output, failure, sinceMs);
  }
  closeIfQuiet(turn, job);
}

/** The audit only spares attempts: whoever misses something else will say so. */
export function scratchAuditFailed(turn: Turn, job: Job, failure: Failure): void {
  job.inFlight.delete(AUDIT);
  log(turn, 'warning', `the scratch could not be looked at: ${failure.message}`, { jobId: job.jobId });
  closeIfQuiet(turn, job);
}

function reopen(turn: Turn, job: Job, output: string, failure: Failure, sinceMs: number): void {
  const taskId = job.taskOfOutput.get(output);
  if (taskId !== undefined) reopenTask(turn, job, taskOf(job, taskId), failure, sinceMs);
  const stage = job.stages.find((one) => one.output === output);
  if (stage !== undefined) reopenReduction(turn, job, stage, failure, sinceMs);
}

function reopenTask(turn: Turn, job: Job, task: Task, failure: Failure, sinceMs: number): void {
  if (task.state !== 'done' || task.doneMs > sinceMs) return;
  const stage = job.stages[task.stage];
  const core = { ...coreOf(task), freeFailures: task.freeFailures + 1 };
  if (core.freeFailures >= turn.state.options.maxFreeFailures) {
    setTask(turn, job, { ...core, state: 'failed', failure });
    setStage(turn, job, stage, { state: 'failed' });
    failJob(turn, job, failureOfTask(job, core, stage.name, failure));
    return;
  }
  setTask(turn, job, { ...core, state: 'ready', notBeforeMs: turn.nowMs, avoid: null });
  stage.retries += 1;
  if (stage.status.state === 'done') setStage(turn, job, stage, { state: 'running' });
  const about = { jobId: job.jobId, stage: stage.name, taskId: task.taskId, reason: failure.tag };
  log(turn, 'stage-reopened', `output ${task.output} is lost and will be made again`, about);
}

function reopenReduction(turn: Turn, job: Job, stage: Stage, failure: Failure, sinceMs: number): void {
  if (stage.status.state !== 'done' || stage.status.doneMs > sinceMs) return;
  stage.freeFailures += 1;
  stage.retries += 1;
  if (stage.freeFailures >= turn.state.options.maxFreeFailures) {
    setStage(turn, job, stage, { state: 'failed' });
    failJob(turn, job, { ...failure, message: `stage ${stage.name} lost its output too often: ${failure.message}` });
    return;
  }
  setStage(turn, job, stage, { state: 'waiting', notBeforeMs: turn.nowMs });
  const about = { jobId: job.jobId, stage: stage.name, reason: failure.tag };
  log(turn, 'stage-reopened', `output ${stage.output ?? ''} is lost and will be made again`, about);
}
