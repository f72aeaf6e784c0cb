import type { AttemptRecord, Failure, Job, Stage, Task, TaskCore } from './job-state.js';
import { leasesOf } from './task-holders.js';

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function tellAttempt(record: AttemptRecord): string {
  const where = record.host === '' ? record.workerId : `${record.workerId} on ${record.host}`;
  const why = record.failure === null ? '' : `: ${record.failure.tag}: ${record.failure.message}`;
  return `attempt ${record.attempt} at ${where}, ${seconds(record.endedMs - record.startedMs)}: ${record.outcome}${why}`;
}

/** Every attempt at a task, one line each: who tried, for how long, and how it ended. */
export function tellTask(task: TaskCore): string {
  const lines = task.story.map(tellAttempt);
  return lines.length === 0
    ? `task ${task.taskId}: no attempt has ended`
    : [`task ${task.taskId}:`, ...lines].join('\n');
}

/** A task with its present state, for broken invariants. */
export function tellTaskState(task: Task): string {
  const held = leasesOf(task).map(({ attempt, workerId }) => `, attempt ${attempt} at ${workerId}`);
  return `${task.state}${held.join('')}, ${task.countedFailures} counted and ${task.freeFailures} free failures; ${tellTask(task)}`;
}

/** A job's stages and where they stand, for broken invariants. */
export function tellJob(job: Job): string {
  const stages = job.stages.map((stage) => tellStage(stage)).join(', ');
  return `job ${job.jobId}: ${job.status.state}, ${job.held} tasks held, stages ${stages}`;
}

function tellStage(stage: Stage): string {
  return `${stage.name} ${stage.status.state} (${stage.tasksDone}/${stage.tasksTotal})`;
}

/** The failure of a job whose task failed for good: one sentence, with the whole story in its details. */
export function failureOfTask(job: Job, task: TaskCore, stage: string, failure: Failure): Failure {
  const line = lineage(job, task);
  const attempts = line.reduce((sum, one) => sum + one.story.length, 0);
  const often = attempts > 1 ? ` after ${attempts} attempts` : '';
  return {
    tag: failure.tag,
    message: `stage ${stage} failed${often}: ${failure.message}`,
    hint: failure.hint,
    details: { ...failure.details, stage, taskId: task.taskId, attempts, story: line.map(tellTask).join('\n') },
  };
}

/** The tasks that this one is a half of, the largest first, and itself. */
function lineage(job: Job, task: TaskCore): TaskCore[] {
  const whole = task.halfOf === null ? undefined : job.tasks.get(task.halfOf);
  return whole === undefined ? [task] : [...lineage(job, whole), task];
}
