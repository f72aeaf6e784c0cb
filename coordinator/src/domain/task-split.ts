import type { TaskId } from '@shardex/shared/ids';
import type { LogEntry } from './job-events.js';
import type { PlannedTask } from './job-planner-port.js';
import type { Failure, Job, SplittingTask, TaskCore } from './job-state.js';
import { addTask, advanceJob } from './job-stages.js';
import { closeIfQuiet } from './job-stop.js';
import { aboutTask, coreOf, isLive, log, setTask, type Turn } from './job-turn.js';
import { halvesOf } from './plan-shards.js';

/** A 256th of a task that is still too large will not fit in halves either: then its attempts are counted. */
const MAX_SPLITS = 8;

/** One lost worker is an accident; a second one may have been killed for the memory that this task took. */
const SUSPICIOUS_LOSSES = 2;

/**
 * Has a task that was too large halved instead of repeated. Not after a later stage was planned: that one may refer to
 * the outputs as they were.
 *
 * @param core - the task after the failed attempt
 * @returns whether it is being halved
 */
export function beginSplit(
  turn: Turn,
  job: Job,
  core: TaskCore,
  failure: Failure,
  about: Omit<LogEntry, 'kind' | 'text' | 'atMs'>,
): boolean {
  const halves = isTooLarge(core, failure) && core.splits < MAX_SPLITS ? halvesOf(core.spec) : null;
  const isLaterBegun = job.stages.slice(core.stage + 1).some((stage) => stage.startedMs !== null);
  if (halves === null || isLaterBegun) return false;
  setTask(turn, job, { ...core, state: 'splitting' });
  job.inFlight.add(core.taskId);
  log(turn, 'task-split', `it is done in halves: ${failure.message}`, about);
  const stage = job.stages[core.stage].name;
  turn.effects.push({ kind: 'splitTask', jobId: job.jobId, stage, taskId: core.taskId, halves });
  return true;
}

/** Memory that ran out, as opposed to a disk or open files: those name the system's error. */
function isTooLarge({ story }: TaskCore, { tag, details }: Failure): boolean {
  if (tag === 'DeadlineExceeded') return true;
  if (tag === 'ResourceExhausted') return (details['code'] ?? '') === '';
  return tag === 'WorkerLost' && story.filter(({ outcome }) => outcome === 'worker-lost').length >= SUSPICIOUS_LOSSES;
}

/** The planner has put two tasks in the place of one. */
export function taskSplit(turn: Turn, job: Job, taskId: TaskId, halves: readonly [PlannedTask, PlannedTask]): void {
  const task = splitAnswered(turn, job, taskId);
  if (task === null) return;
  const stage = job.stages[task.stage];
  setTask(turn, job, { ...coreOf(task), state: 'split' });
  stage.retries += 1;
  stage.tasksTotal += 1;
  halves.forEach((half, i) => {
    addTask(turn, job, task.stage, task.ordinal + i * 0.5 ** (task.splits + 1), half, taskId);
    if (half.alreadyDone !== undefined) stage.tasksDone += 1;
  });
  advanceJob(turn, job);
}

/** The task that waits for this answer; null when its job has stopped meanwhile. */
export function splitAnswered(turn: Turn, job: Job, taskId: TaskId): SplittingTask | null {
  job.inFlight.delete(taskId);
  const task = job.tasks.get(taskId);
  if (task?.state === 'splitting') return task;
  const about = task === undefined ? { jobId: job.jobId, taskId } : aboutTask(job, task);
  log(turn, 'late-answer', `its halves are not needed: the job is ${job.status.state}`, about);
  if (!isLive(job)) closeIfQuiet(turn, job);
  return null;
}
