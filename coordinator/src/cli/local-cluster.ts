import { usableCores, usableMemory, type Machine, type RunOptions } from '@shardex/shared/config';

/** Share of the memory that workers may take together; the rest is for the coordinator and the page cache. */
const WORKERS_SHARE = 0.6;
/** More than this helps no task: shards are made small enough for it anyway. */
const MOST_WORKER_BYTES = 4 * 2 ** 30;

/** Worker processes of an embedded cluster, and the memory of each in bytes. */
export interface LocalCluster {
  readonly workers: number;
  readonly memoryBytes: number;
}

/**
 * The embedded cluster as it was asked for. When nobody says otherwise: a worker for each core that affinity, control group
 * and Slurm leave to this process, and for each an equal part of 60% of the memory they leave, at most 4 GiB.
 */
export function localCluster(asked: Pick<RunOptions, 'workers' | 'memoryBytes'>, machine: Machine): LocalCluster {
  const workers = asked.workers ?? usableCores(machine).value;
  const share = Math.floor((usableMemory(machine).value * WORKERS_SHARE) / workers);
  return { workers, memoryBytes: asked.memoryBytes ?? Math.min(MOST_WORKER_BYTES, share) };
}
