import type { HeldTask, LeaseKey, TaskOutcome } from '../domain/index.js';

/** What runs the tasks, as the agent sees it: the compute pool. */
export interface TaskRunner {
  run(task: HeldTask, onProgress: (fraction: number) => void): Promise<TaskOutcome>;
  abandon(key: LeaseKey): void;
  close(): Promise<void>;
}
