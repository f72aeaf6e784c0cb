import type { WorkerId } from '@shardex/shared/ids';
import type { AbandonedTask, LeasedTask, LeaseRecord, Task } from './job-state.js';

/** A task in workers' hands. */
export type HeldTask = LeasedTask | AbandonedTask;

const NOBODY: readonly LeaseRecord[] = [];

/** The attempts at a task that workers hold now: none, one, or two at different workers. */
export function leasesOf(task: Task): readonly LeaseRecord[] {
  if (!('lease' in task)) return NOBODY;
  return task.double === null ? [task.lease] : [task.lease, task.double];
}

/** What one worker holds of a task. */
export const leaseAt = (task: Task, workerId: WorkerId): LeaseRecord | undefined =>
  leasesOf(task).find((lease) => lease.workerId === workerId);

/** The attempt beside this one; null when it is alone. */
export const otherThan = (task: HeldTask, lease: LeaseRecord): LeaseRecord | null =>
  task.double?.attempt === lease.attempt ? task.lease : task.double;

/** The task with one of its leases as it is now. */
export function withLease<T extends HeldTask>(task: T, lease: LeaseRecord): T {
  return task.double?.attempt === lease.attempt ? { ...task, double: lease } : { ...task, lease };
}
