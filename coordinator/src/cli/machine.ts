import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';

/** The first of the files that can be read, or null: control groups have no interface but these files. */
function readFirst(paths: readonly string[]): string | null {
  for (const path of paths) {
    try {
      return readFileSync(path, 'utf8').trim();
    } catch {
      // Absent in this version of control groups, or outside Linux.
    }
  }
  return null;
}

/** Cores' worth of time the control group may use, from "quota period" in microseconds; infinite when not limited. */
export function coresOfQuota(text: string | null): number {
  const [quota, period] = (text ?? '').split(/\s+/).map(Number);
  return quota > 0 && period > 0 ? quota / period : Number.POSITIVE_INFINITY;
}

/** Cores this process may keep busy: its affinity mask and, in a container, the quota of its control group. At least 1. */
export function usableCores(): number {
  const version2 = readFirst(['/sys/fs/cgroup/cpu.max']);
  const quota = readFirst(['/sys/fs/cgroup/cpu/cpu.cfs_quota_us']);
  const period = readFirst(['/sys/fs/cgroup/cpu/cpu.cfs_period_us']);
  const limit = Math.min(coresOfQuota(version2), coresOfQuota(`${quota ?? ''} ${period ?? ''}`));
  return Math.max(1, Math.min(availableParallelism(), Math.floor(limit)));
}

/** Memory this process may use, in bytes: the machine's, or the control group's limit where that is less. */
export function usableMemoryBytes(): number {
  const limit = process.constrainedMemory();
  // 0 and values near 2^63 both mean "no limit".
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}

/** Share of the memory that workers may take together; the rest is for the coordinator and the page cache. */
const WORKERS_SHARE = 0.6;
/** More than this helps no task: shards are made small enough for it anyway. */
const MOST_WORKER_BYTES = 4 * 2 ** 30;

/** Memory of each of `workers` when nobody says otherwise: an equal part of 60% of the memory, at most 4 GiB. */
export function defaultWorkerMemoryBytes(workers: number, memoryBytes = usableMemoryBytes()): number {
  return Math.min(MOST_WORKER_BYTES, Math.floor((memoryBytes * WORKERS_SHARE) / workers));
}
