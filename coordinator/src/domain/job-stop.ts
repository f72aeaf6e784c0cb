import { historyOf } from './job-history.js';
import type { Failure, Job } from './job-state.js';
import { aboutTask, coreOf, isLive, log, setJob, setStage, setTask, type Turn } from './job-turn.js';
import { leasesOf } from './task-holders.js';

/** A job fails at once; what workers still hold of it is abandoned. */
export function failJob(turn: Turn, job: Job, failure: Failure): void {
  if (!isLive(job)) return;
  setJob(turn, job, { state: 'failed', failure });
  log(turn, 'job-failed', failure.message, { jobId: job.jobId, reason: failure.tag });
  stopWork(turn, job);
}

/** Someone asked for the job to stop. It is cancelled as soon as nobody holds any of it. Ended jobs stay as they are. */
export function cancelJob(turn: Turn, job: Job, reason: string): void {
  if (!isLive(job)) return;
  setJob(turn, job, { state: 'cancelling', reason });
  log(turn, 'job-cancelling', reason, { jobId: job.jobId });
  stopWork(turn, job);
}

function stopWork(turn: Turn, job: Job): void {
  for (const task of [...job.tasks.values()]) {
    if (task.state === 'ready' || task.state === 'splitting') setTask(turn, job, { ...coreOf(task), state: 'dropped' });
    else if (task.state === 'leased') {
      setTask(turn, job, { ...task, state: 'abandoned' });
      for (const lease of leasesOf(task))
        log(turn, 'task-abandoned', 'its job has stopped', aboutTask(job, task, lease));
    }
  }
  for (const stage of job.stages) {
    const { state } = stage.status;
    if (state !== 'done' && state !== 'failed') setStage(turn, job, stage, { state: 'stopped' });
  }
  if (job.inFlight.size > 0) turn.effects.push({ kind: 'abortWork', jobId: job.jobId });
  closeIfQuiet(turn, job);
}

/** The end of a job that did not succeed, once neither a worker nor the coordinator is on it. */
export function closeIfQuiet(turn: Turn, job: Job): void {
  if (job.held > 0 || job.inFlight.size > 0 || job.finalHistory !== null) return;
  if (job.status.state === 'cancelling') {
    setJob(turn, job, { state: 'cancelled', reason: job.status.reason });
    log(turn, 'job-cancelled', 'nobody works on it any more', { jobId: job.jobId });
  } else if (job.status.state !== 'failed') return;
  forgetTasks(turn, job);
}

/** The job goes no further, but somebody may still be on it. */
export const isStopping = (job: Job): boolean => !isLive(job) && job.finalHistory === null;

/** Nobody is on an ended job any more. Ten thousand tasks of it are of no further use; their figures are kept. */
export function forgetTasks(turn: Turn, job: Job): void {
  job.finalHistory = historyOf(job);
  for (const taskId of job.tasks.keys()) turn.state.jobOfTask.delete(taskId);
  job.tasks.clear();
  job.taskOfOutput.clear();
  // Whoever waits for its folder is told.
  turn.changed.add(job.jobId);
  turn.effects.push({ kind: 'releaseJob', jobId: job.jobId });
}
