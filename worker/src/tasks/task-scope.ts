import type { TaskAssignment } from '@shardex/shared/artifacts';
import type { KernelHeap } from '@shardex/shared/kernels';
import type { TaskRuntime } from './contract.js';
import { GroupRows } from './group-rows.js';
import type { JobData } from './job-data.js';

/** What every task body works with. */
export interface TaskScope {
  readonly job: JobData;
  /** The thread's heap; whatever a task allocates is given back when it ends. */
  readonly heap: KernelHeap;
  readonly assignment: TaskAssignment;
  readonly runtime: TaskRuntime;
}

/** Encoded bytes a task may hold at once; beyond it the rows are streamed from scratch. */
export const PREFETCH_SHARE = 0.15;

/** The cells of groups [groupBegin, groupEnd), with what the size-factors stage knows of them. */
export async function openGroupRows(scope: TaskScope, groupBegin: number, groupEnd: number): Promise<GroupRows> {
  const { job, heap, assignment, runtime } = scope;
  const factors = await job.cellFactors();
  return GroupRows.open(heap, await job.scans(), factors, groupBegin, groupEnd, {
    kind: job.valueKind,
    nGenes: job.context.nGenes,
    prefetchBytes: assignment.memoryBytes * PREFETCH_SHARE,
    signal: runtime.signal,
  });
}
