import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A control group with a limit on memory: whoever is in it and needs more is killed by the kernel. */
export interface MemoryGroup {
  /** Puts a process into it; what it has already is not counted. */
  take(pid: number): void;
  /** Processes that the kernel killed for want of memory. */
  killed(): number;
  /** Once its processes have ended. */
  remove(): void;
}

/** Where the groups of this machine are: version 1 has a hierarchy for memory alone, version 2 one for all. */
const VERSIONS = [
  { root: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes', events: 'memory.oom_control' },
  { root: '/sys/fs/cgroup', limit: 'memory.max', events: 'memory.events' },
];

/** Why there can be no such group here; null when there can. */
export function reasonWithoutGroup(): string | null {
  try {
    makeMemoryGroup(2 ** 20).remove();
    return null;
  } catch (error) {
    return `no control group can be made here: ${(error as Error).message}`;
  }
}

export function makeMemoryGroup(bytes: number): MemoryGroup {
  // Where neither is mounted, making the folder says so.
  const version = VERSIONS.find(({ root }) => existsSync(join(root, 'cgroup.procs'))) ?? VERSIONS[0];
  const folder = join(version.root, `shardex-test-${process.pid}`);
  mkdirSync(folder);
  try {
    writeFileSync(join(folder, version.limit), `${bytes}`);
  } catch (error) {
    rmdirSync(folder);
    throw error;
  }
  return {
    take: (pid) => writeFileSync(join(folder, 'cgroup.procs'), `${pid}`),
    killed: () => Number(/^oom_kill (\d+)$/m.exec(readFileSync(join(folder, version.events), 'utf8'))?.[1]),
    remove: () => rmdirSync(folder),
  };
}
