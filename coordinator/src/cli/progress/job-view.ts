import { JobState, StageState, type Job, type JobEvent, type Stage } from '@shardex/proto';

/** A job at some moment, with what happened since the moment before. */
export interface JobUpdate {
  readonly job: Job;
  readonly events: readonly JobEvent[];
}

const JOB_STATE_NAMES: Readonly<Record<JobState, string>> = {
  [JobState.UNSPECIFIED]: 'unknown',
  [JobState.QUEUED]: 'queued',
  [JobState.RUNNING]: 'running',
  [JobState.CANCELLING]: 'cancelling',
  [JobState.SUCCEEDED]: 'succeeded',
  [JobState.FAILED]: 'failed',
  [JobState.CANCELLED]: 'cancelled',
};

const STAGE_STATE_NAMES: Readonly<Record<StageState, string>> = {
  [StageState.UNSPECIFIED]: 'unknown',
  [StageState.WAITING]: 'waiting',
  [StageState.RUNNING]: 'running',
  [StageState.DONE]: 'done',
  [StageState.FAILED]: 'failed',
};

export const jobStateName = (state: JobState): string => JOB_STATE_NAMES[state] ?? 'unknown';
export const stageStateName = (state: StageState): string => STAGE_STATE_NAMES[state] ?? 'unknown';

export const hasEnded = (job: Job): boolean =>
  job.state === JobState.SUCCEEDED || job.state === JobState.FAILED || job.state === JobState.CANCELLED;

/** Seconds between two moments in milliseconds, `untilMs` where the end is not known; 0 before the start. */
export function secondsBetween(startedUnixMs: number, endedUnixMs: number, untilMs: number): number {
  if (!(startedUnixMs > 0)) return 0;
  return Math.max(0, ((endedUnixMs > 0 ? endedUnixMs : untilMs) - startedUnixMs) / 1000);
}

/** Seconds a stage took, or has taken until now. */
export const stageSeconds = (stage: Stage, nowMs: number): number =>
  secondsBetween(stage.startedUnixMs, stage.endedUnixMs, nowMs);

/** Seconds from the submission to the end, or until now. */
export const jobSeconds = (job: Job, nowMs: number): number =>
  secondsBetween(job.submittedUnixMs, job.endedUnixMs, nowMs);

/** Share of the job that is done: stages count alike, for their cost is not known here. */
export function jobProgress(job: Job): number {
  if (job.state === JobState.SUCCEEDED) return 1;
  if (job.stages.length === 0) return 0;
  const done = job.stages.map((stage) => (stage.state === StageState.DONE ? 1 : stage.progress));
  return done.reduce((sum, share) => sum + share, 0) / job.stages.length;
}

/** A stage as plain data, for events and `--json`. */
export const plainStage = (stage: Stage): Record<string, string | number> => ({
  stage: stage.name,
  state: stageStateName(stage.state),
  tasksTotal: stage.tasksTotal,
  tasksDone: stage.tasksDone,
  tasksRunning: stage.tasksRunning,
  retries: stage.retries,
  progress: Number(stage.progress.toFixed(4)),
});

/** A job as plain data, for `--json`; times in milliseconds since 1970, null where there is none yet. */
export const plainJob = (job: Job): Record<string, unknown> => ({
  job: job.id,
  state: jobStateName(job.state),
  input: job.spec?.input ?? '',
  output: job.spec?.output ?? '',
  submittedUnixMs: job.submittedUnixMs || null,
  startedUnixMs: job.startedUnixMs || null,
  endedUnixMs: job.endedUnixMs || null,
  etaSeconds: job.etaSeconds ?? null,
  stages: job.stages.map(plainStage),
  warnings: job.warnings,
  failure:
    job.failure === undefined ? null : { tag: job.failure.tag, message: job.failure.message, hint: job.failure.hint },
});

export const plainEvent = (event: JobEvent): Record<string, unknown> => ({
  unixMs: event.unixMs,
  kind: event.kind,
  text: event.text,
  ...(event.stage === '' ? {} : { stage: event.stage }),
  ...(event.taskId === '' ? {} : { task: event.taskId, attempt: event.attempt }),
  ...(event.workerId === '' ? {} : { worker: event.workerId }),
});
