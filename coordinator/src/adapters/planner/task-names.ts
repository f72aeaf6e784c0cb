import { taskId, type JobId, type TaskId } from '@shardex/shared/ids';

const SUFFIX = '.bundle';

/** Name of the output of a task's first (0) or second (1) half: `scan/000003.bundle` → `scan/000003-1.bundle`. */
export const halfName = (output: string, half: number): string => `${output.slice(0, -SUFFIX.length)}-${half}${SUFFIX}`;

/** How often what was planned first has been halved to get the task of this output. */
export const splitsOf = (output: string): number => keyOf(output).split('-').length - 1;

/** The task of an output: `JOB/scan/3-1`. */
export const idOf = (jobId: JobId, stage: string, output: string): TaskId =>
  taskId(`${jobId}/${stage}/${keyOf(output).replace(/^0+(?=\d)/, '')}`);

const keyOf = (output: string): string => output.slice(output.lastIndexOf('/') + 1, -SUFFIX.length);
