import { ERROR_POLICIES, InvariantBrokenError } from '@shardex/shared/errors';
import type { PlannedTask, ReductionReport } from './job-planner-port.js';
import type { TaskId } from '@shardex/shared/ids';
import type { Failure, Job, Stage, Task, TaskCore } from './job-state.js';
import { closeIfQuiet, failJob, forgetTasks } from './job-stop.js';
import { insertReady, isLive, log, retryDelayMs, setJob, setStage, startJob, type Turn } from './job-turn.js';
import { reopenLost } from './lost-output.js';

/** The first stage that is not done. Only its tasks are granted: later ones may need what it makes. */
export const frontierOf = (job: Job): Stage | undefined => job.stages.find((stage) => stage.status.state !== 'done');

/** Moves a live job on as far as it goes: ends finished stages, begins the next, succeeds after the last. */
export function advanceJob(turn: Turn, job: Job): void {
  while (isLive(job)) {
    const stage = frontierOf(job);
    if (stage === undefined) {
      succeed(turn, job);
      return;
    }
    const { status } = stage;
    if (status.state === 'running' && stage.tasksDone === stage.tasksTotal) {
      setStage(turn, job, stage, { state: 'done', doneMs: turn.nowMs });
      log(turn, 'stage-done', `stage ${stage.name} is done`, { jobId: job.jobId, stage: stage.name });
      continue;
    }
    if (status.state === 'waiting' && status.notBeforeMs <= turn.nowMs && !job.inFlight.has(stage.name)) {
      begin(turn, job, stage);
    }
    return;
  }
}

function begin(turn: Turn, job: Job, stage: Stage): void {
  const about = { jobId: job.jobId, stage: stage.name };
  job.inFlight.add(stage.name);
  log(turn, 'stage-started', `stage ${stage.name} begins`, about);
  if (stage.executor === 'workers') {
    setStage(turn, job, stage, { state: 'planning' });
    turn.effects.push({ kind: 'planStage', ...about });
    return;
  }
  startJob(turn, job);
  setStage(turn, job, stage, { state: 'reducing', sinceMs: turn.nowMs, fraction: 0 });
  turn.effects.push({ kind: 'runReduction', ...about });
}

function succeed(turn: Turn, job: Job, how = 'every stage is done'): void {
  // A job whose every output was there already never had a first task.
  startJob(turn, job);
  setJob(turn, job, { state: 'succeeded' });
  log(turn, 'job-succeeded', how, { jobId: job.jobId });
  forgetTasks(turn, job);
}

/** The planner's answer to `planStage`. */
export function stagePlanned(turn: Turn, job: Job, stage: Stage, planned: readonly PlannedTask[]): void {
  if (!answerExpected(turn, job, stage)) return;
  const index = job.stages.indexOf(stage);
  const resumed = planned.filter((task) => task.alreadyDone !== undefined).length;
  planned.forEach((plan, ordinal) => addTask(turn, job, index, ordinal, plan));
  stage.tasksTotal = planned.length;
  stage.tasksDone = resumed;
  setStage(turn, job, stage, { state: 'running' });
  const found = resumed === 0 ? '' : `, ${resumed} of them found finished`;
  log(turn, 'stage-planned', `${planned.length} tasks${found}`, { jobId: job.jobId, stage: stage.name });
  advanceJob(turn, job);
}

/** @param ordinal - place in the stage; halves of a task lie between whole numbers */
export function addTask(
  turn: Turn,
  job: Job,
  stage: number,
  ordinal: number,
  plan: PlannedTask,
  halfOf: TaskId | null = null,
): void {
  const owner = turn.state.jobOfTask.get(plan.taskId);
  const twin = job.taskOfOutput.get(plan.output);
  if (owner !== undefined || twin !== undefined) {
    throw new InvariantBrokenError(
      `planned task ${plan.taskId} (${plan.output}) of ${job.jobId} repeats ${owner === undefined ? `the output of ${twin}` : `a task of ${owner}`}`,
    );
  }
  const core: TaskCore = {
    taskId: plan.taskId,
    jobId: job.jobId,
    stage,
    ordinal,
    spec: plan.spec,
    scratchUri: plan.scratchUri,
    output: plan.output,
    memoryBytes: plan.memoryBytes,
    work: plan.work ?? 1,
    splits: plan.splits ?? 0,
    halfOf,
    attemptsGranted: job.attemptsBefore.get(plan.taskId) ?? 0,
    countedFailures: 0,
    freeFailures: 0,
    doublesGranted: 0,
    story: [],
  };
  const task: Task =
    plan.alreadyDone === undefined
      ? { ...core, state: 'ready', notBeforeMs: 0, avoid: null }
      : {
          ...core,
          state: 'done',
          report: { ...plan.alreadyDone, wallMs: 0, peakResidentBytes: 0 },
          doneMs: turn.nowMs,
          resumed: true,
        };
  job.tasks.set(task.taskId, task);
  job.taskOfOutput.set(task.output, task.taskId);
  turn.state.jobOfTask.set(task.taskId, job.jobId);
  if (task.state === 'ready') insertReady(job, job.stages[stage], task);
}

export function reductionProgressed(turn: Turn, job: Job, stage: Stage, fraction: number): void {
  if (stage.status.state !== 'reducing') return;
  stage.status = { ...stage.status, fraction: Math.min(1, Math.max(stage.status.fraction, fraction)) };
  turn.changed.add(job.jobId);
}

/** A job that is cancelled while its last reduction gives results their names has succeeded: they are there. */
export function reductionDone(turn: Turn, job: Job, stage: Stage, report: ReductionReport): void {
  const isTooLateToCancel = job.status.state === 'cancelling' && stage === job.stages.at(-1);
  if (isTooLateToCancel) job.inFlight.delete(stage.name);
  else if (!answerExpected(turn, job, stage)) return;
  addWarnings(turn, job, stage.name, report.warnings);
  stage.bytesRead += report.bytesRead ?? 0;
  stage.bytesWritten += report.bytesWritten ?? 0;
  setStage(turn, job, stage, { state: 'done', doneMs: turn.nowMs });
  log(turn, 'stage-done', `stage ${stage.name} is done`, { jobId: job.jobId, stage: stage.name });
  if (isTooLateToCancel) succeed(turn, job, 'every stage was done before the job could be cancelled');
  else advanceJob(turn, job);
}

/** Planning or a reduction failed: the coordinator's own work is retried by the same rules as tasks. */
export function coordinatorWorkFailed(turn: Turn, job: Job, stage: Stage, failure: Failure): void {
  const sinceMs = stage.status.state === 'reducing' ? stage.status.sinceMs : turn.nowMs;
  if (!answerExpected(turn, job, stage)) return;
  const { options } = turn.state;
  const policy = ERROR_POLICIES[failure.tag];
  if (policy.countsAsAttempt) stage.countedFailures += 1;
  else stage.freeFailures += 1;
  const spent = stage.countedFailures >= options.maxAttempts || stage.freeFailures >= options.maxFreeFailures;
  if (!policy.retryable || spent) {
    setStage(turn, job, stage, { state: 'failed' });
    const attempts = stage.countedFailures + stage.freeFailures;
    const message = `stage ${stage.name} failed${attempts > 1 ? ` after ${attempts} attempts` : ''}: ${failure.message}`;
    failJob(turn, job, { ...failure, message, details: { ...failure.details, stage: stage.name, attempts } });
    return;
  }
  stage.retries += 1;
  const delayMs = retryDelayMs(options.retryDelayMs, stage.countedFailures + stage.freeFailures);
  setStage(turn, job, stage, { state: 'waiting', notBeforeMs: turn.nowMs + delayMs });
  const about = { jobId: job.jobId, stage: stage.name, reason: failure.tag };
  log(turn, 'stage-retried', `stage ${stage.name} will be tried again: ${failure.message}`, about);
  reopenLost(turn, job, failure, sinceMs);
  advanceJob(turn, job);
}

/** The driver answers each request once. An answer for a job that has stopped only ends the wait for it. */
function answerExpected(turn: Turn, job: Job, stage: Stage): boolean {
  const wasInFlight = job.inFlight.delete(stage.name);
  if (wasInFlight && isLive(job)) return true;
  const why = wasInFlight ? `the job is ${job.status.state}` : 'nobody waits for it';
  log(turn, 'late-answer', `an answer for stage ${stage.name} is ignored: ${why}`, {
    jobId: job.jobId,
    stage: stage.name,
  });
  closeIfQuiet(turn, job);
  return false;
}

/** Adds warnings once each: a hundred tasks that say the same are one warning. */
export function addWarnings(turn: Turn, job: Job, stage: string, warnings: readonly string[]): void {
  for (const warning of warnings) {
    if (job.warnings.includes(warning)) continue;
    job.warnings = [...job.warnings, warning];
    log(turn, 'warning', warning, { jobId: job.jobId, stage });
  }
}
