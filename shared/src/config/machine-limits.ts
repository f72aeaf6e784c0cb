import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';

/** What is known of the machine; files are read by name so that samples can stand in for them. */
export interface Machine {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Content of a file, or null where it cannot be read. */
  readonly readText: (path: string) => string | null;
  /** Cores of the affinity mask. */
  readonly parallelism: number;
  readonly totalMemoryBytes: number;
}

/** A number and where it comes from, for the log. */
export interface Limit {
  readonly value: number;
  readonly source: 'machine' | 'cgroup' | 'slurm';
}

const MEBIBYTE = 2 ** 20;

export const thisMachine = (environment: Machine['environment'] = process.env): Machine => ({
  environment,
  readText: (path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return null;
    }
  },
  parallelism: availableParallelism(),
  totalMemoryBytes: totalmem(),
});

/**
 * Cores this process may keep busy: the least of its affinity mask, its control group's quota (rounded down) and what
 * Slurm gave its task; at least 1.
 */
export function usableCores(machine: Machine): Limit {
  const limits: Limit[] = [{ value: machine.parallelism, source: 'machine' }];
  for (const folder of controlGroupFolders(machine, 'cpu')) {
    const [quota, period] = folder.isVersion2
      ? words(machine.readText(`${folder.path}/cpu.max`))
      : [
          ...words(machine.readText(`${folder.path}/cpu.cfs_quota_us`)),
          ...words(machine.readText(`${folder.path}/cpu.cfs_period_us`)),
        ];
    const cores = Number(quota) / Number(period);
    if (cores > 0) limits.push({ value: Math.max(1, Math.floor(cores)), source: 'cgroup' });
  }
  const { environment } = machine;
  const perTask = positive(environment['SLURM_CPUS_PER_TASK']);
  const onNode = positive(environment['SLURM_CPUS_ON_NODE']);
  const slurmCores =
    perTask ?? (onNode === null ? null : Math.max(1, Math.floor(onNode / slurmTasksHere(environment))));
  if (slurmCores !== null) limits.push({ value: slurmCores, source: 'slurm' });
  return least(limits);
}

/**
 * Memory this process may use, in bytes: the least of the machine's, its control group's limit (also its parents') and
 * what Slurm gave. Inside Slurm the last two are of the node and are shared with the other tasks there.
 */
export function usableMemory(machine: Machine): Limit {
  const limits: Limit[] = [{ value: machine.totalMemoryBytes, source: 'machine' }];
  const { environment } = machine;
  const tasksHere = slurmTasksHere(environment);
  for (const folder of controlGroupFolders(machine, 'memory')) {
    const file = folder.isVersion2 ? 'memory.max' : 'memory.limit_in_bytes';
    // "max", and a number near 2^63, mean no limit; the machine's own memory is less than the latter.
    const bytes = positive(words(machine.readText(`${folder.path}/${file}`))[0]);
    if (bytes !== null) limits.push({ value: Math.floor(bytes / tasksHere), source: 'cgroup' });
  }
  // In mebibytes; 0 is Slurm's word for all of the node.
  const perNode = positive(environment['SLURM_MEM_PER_NODE']);
  const perCpu = positive(environment['SLURM_MEM_PER_CPU']);
  if (perNode !== null) limits.push({ value: Math.floor((perNode * MEBIBYTE) / tasksHere), source: 'slurm' });
  else if (perCpu !== null) limits.push({ value: perCpu * MEBIBYTE * usableCores(machine).value, source: 'slurm' });
  return least(limits);
}

/** Share of the usable memory that tasks may plan with; the rest is for Node, the main thread and the page cache. */
export const TASK_MEMORY_SHARE = 0.8;

interface ControlGroupFolder {
  readonly path: string;
  readonly isVersion2: boolean;
}

/**
 * Folders whose limits bind this process: its own control group and every parent. In a container the group's path is
 * often the host's and absent here, while its limits are at the root, which is the last parent.
 *
 * @source https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroups(7): /proc/PID/cgroup has lines
 *   `hierarchy:controllers:path`, with hierarchy 0 and no controllers for version 2
 */
function controlGroupFolders(machine: Machine, controller: 'cpu' | 'memory'): ControlGroupFolder[] {
  const folders: ControlGroupFolder[] = [];
  for (const line of (machine.readText('/proc/self/cgroup') ?? '').split('\n')) {
    const match = /^(\d+):([^:]*):(\/.*)$/.exec(line);
    if (match === null) continue;
    const [, hierarchy, controllers, path] = match;
    const isVersion2 = hierarchy === '0' && controllers === '';
    if (!isVersion2 && !controllers.split(',').includes(controller)) continue;
    const mount = isVersion2 ? '/sys/fs/cgroup' : `/sys/fs/cgroup/${controller}`;
    const parts = path.split('/').filter((part) => part !== '' && part !== '..');
    for (let depth = parts.length; depth >= 0; depth--) {
      folders.push({ path: [mount, ...parts.slice(0, depth)].join('/'), isVersion2 });
    }
  }
  return folders;
}

/**
 * Tasks that Slurm runs on this node, this one included; 1 outside of Slurm.
 *
 * @source srun(1): SLURM_STEP_TASKS_PER_NODE is as `2(x3),1`: two tasks on each of three nodes and one on the fourth
 */
function slurmTasksHere(environment: Machine['environment']): number {
  const list = environment['SLURM_STEP_TASKS_PER_NODE'];
  const node = Number(environment['SLURM_NODEID'] ?? 0);
  if (list === undefined) return 1;
  const perNode = list.split(',').flatMap((entry) => {
    const match = /^(\d+)(?:\(x(\d+)\))?$/.exec(entry.trim());
    return match === null ? [] : new Array<number>(Number(match[2] ?? 1)).fill(Number(match[1]));
  });
  return Math.max(1, perNode[node] ?? 1);
}

const words = (text: string | null): string[] => (text === null ? [] : text.trim().split(/\s+/));

const positive = (text: string | undefined): number | null => {
  const value = Number(text);
  return text !== undefined && value > 0 && Number.isFinite(value) ? value : null;
};

const least = (limits: readonly Limit[]): Limit =>
  limits.reduce((smallest, limit) => (limit.value < smallest.value ? limit : smallest));
