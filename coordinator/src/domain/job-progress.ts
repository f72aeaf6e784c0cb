import type { Job, Stage } from './job-state.js';

/** Below this share of the whole an estimate from the past says nothing about the future. */
const LEAST_SHARE_FOR_ESTIMATE = 0.02;

/**
 * Share of a stage's work that is done, 0 to 1; running tasks count by what their workers told.
 *
 * Cost: one look at each task in workers' hands, none at those that are done.
 */
export function stageProgress(job: Job, stage: Stage, heldFractions = heldFractionsOf(job)): number {
  switch (stage.status.state) {
    case 'done':
      return 1;
    case 'reducing':
      return stage.status.fraction;
    default: {
      if (stage.tasksTotal === 0) return 0;
      const running = heldFractions.get(job.stages.indexOf(stage)) ?? 0;
      return Math.min(1, (stage.tasksDone + running) / stage.tasksTotal);
    }
  }
}

/** Sum of the told fractions of the tasks in workers' hands, by index of their stage. */
export function heldFractionsOf(job: Job): Map<number, number> {
  const fractions = new Map<number, number>();
  if (job.held === 0) return fractions;
  for (const task of job.tasks.values()) {
    if (task.state !== 'leased') continue;
    const fraction = Math.max(task.lease.fraction, task.double?.fraction ?? 0);
    fractions.set(task.stage, (fractions.get(task.stage) ?? 0) + fraction);
  }
  return fractions;
}

/**
 * Seconds until the job ends, if the rest goes as fast as the work so far: elapsed · (1 − p) / p, where p is the
 * weighted mean of the stages' progress.
 *
 * @returns null before there is enough to judge by, and for jobs that are not running
 */
export function etaSeconds(job: Job, nowMs: number): number | null {
  if (job.status.state !== 'running' || job.startedMs === null) return null;
  const fractions = heldFractionsOf(job);
  let done = 0;
  let all = 0;
  for (const stage of job.stages) {
    all += stage.weight;
    done += stage.weight * stageProgress(job, stage, fractions);
  }
  const share = done / all;
  if (share < LEAST_SHARE_FOR_ESTIMATE) return null;
  return (((nowMs - job.startedMs) / 1000) * (1 - share)) / share;
}
