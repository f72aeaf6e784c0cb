import type { TaskAssignment, TaskReport } from '@shardex/shared/artifacts';

/** What a running task knows of the thread it runs on. */
export interface TaskRuntime {
  /** Aborted when nobody wants the result any more; a task that does not yield within a grace time loses its thread. */
  readonly signal: AbortSignal;
  /** Says how far the task is, from 0 to 1; cheap enough for an outer loop, since messages are throttled. */
  progress(fraction: number): void;
  /** Memory that this thread may use for one task, in bytes. */
  readonly memoryBytes: number;
}

/**
 * Runs one task to the end: reads scratch, commits the output under `assignment.output`, says what it cost.
 *
 * @throws ShardexError, `Cancelled` when the signal was aborted
 */
export type RunTask = (assignment: TaskAssignment, runtime: TaskRuntime) => Promise<TaskReport>;
