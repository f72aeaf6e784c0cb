import { describe, expect, it } from 'vitest';
import { thisMachine, usableCores, usableMemory, type Machine } from './machine-limits.js';

const GIBIBYTE = 2 ** 30;

/** A machine of 16 cores and 64 GiB with these files and variables. */
const machine = (files: Record<string, string>, environment: Record<string, string> = {}): Machine => ({
  environment,
  readText: (path) => files[path] ?? null,
  parallelism: 16,
  totalMemoryBytes: 64 * GIBIBYTE,
});

describe('usable memory', () => {
  it('is the machine without limits', () => {
    expect(usableMemory(machine({}))).toEqual({ value: 64 * GIBIBYTE, source: 'machine' });
  });

  it('is the limit of the control group, version 2, or of the parent that has less', () => {
    const files = {
      '/proc/self/cgroup': '0::/kubepods/pod1/worker\n',
      '/sys/fs/cgroup/kubepods/pod1/worker/memory.max': 'max\n',
      '/sys/fs/cgroup/kubepods/pod1/memory.max': `${4 * GIBIBYTE}\n`,
      '/sys/fs/cgroup/kubepods/memory.max': `${32 * GIBIBYTE}\n`,
    };
    expect(usableMemory(machine(files))).toEqual({ value: 4 * GIBIBYTE, source: 'cgroup' });
  });

  it('is the limit of the control group, version 1, also where the path is the host’s and only the root is mounted', () => {
    const files = {
      '/proc/self/cgroup': '12:pids:/docker/abc\n9:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/docker/abc\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': `${2 * GIBIBYTE}\n`,
    };
    expect(usableMemory(machine(files))).toEqual({ value: 2 * GIBIBYTE, source: 'cgroup' });
  });

  it('is the machine where version 1 says "no limit" by a number near 2^63', () => {
    const files = {
      '/proc/self/cgroup': '9:memory:/\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    };
    expect(usableMemory(machine(files))).toEqual({ value: 64 * GIBIBYTE, source: 'machine' });
  });

  it('is what Slurm gave the node, shared by the tasks of the step on this node', () => {
    const slurm = { SLURM_MEM_PER_NODE: '16384', SLURM_STEP_TASKS_PER_NODE: '2(x2),1', SLURM_NODEID: '1' };
    expect(usableMemory(machine({}, slurm))).toEqual({ value: 8 * GIBIBYTE, source: 'slurm' });
    expect(usableMemory(machine({}, { ...slurm, SLURM_NODEID: '2' }))).toEqual({
      value: 16 * GIBIBYTE,
      source: 'slurm',
    });
  });

  it('is what Slurm gave per core times the cores, and the machine where it gave all (0)', () => {
    const perCpu = { SLURM_MEM_PER_CPU: '1024', SLURM_CPUS_PER_TASK: '3' };
    expect(usableMemory(machine({}, perCpu))).toEqual({ value: 3 * GIBIBYTE, source: 'slurm' });
    expect(usableMemory(machine({}, { SLURM_MEM_PER_NODE: '0' }))).toEqual({ value: 64 * GIBIBYTE, source: 'machine' });
  });
});

describe('usable cores', () => {
  it('are those of the affinity mask without limits', () => {
    expect(usableCores(machine({}))).toEqual({ value: 16, source: 'machine' });
    const unlimited = { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' };
    expect(usableCores(machine(unlimited))).toEqual({ value: 16, source: 'machine' });
  });

  it('follow the quota of the control group, rounded down but at least 1', () => {
    const quota = (text: string): Machine =>
      machine({ '/proc/self/cgroup': '0::/w\n', '/sys/fs/cgroup/w/cpu.max': text });
    expect(usableCores(quota('250000 100000\n'))).toEqual({ value: 2, source: 'cgroup' });
    expect(usableCores(quota('50000 100000\n'))).toEqual({ value: 1, source: 'cgroup' });
    const version1 = {
      '/proc/self/cgroup': '4:cpu,cpuacct:/w\n',
      '/sys/fs/cgroup/cpu/w/cpu.cfs_quota_us': '-1\n',
      '/sys/fs/cgroup/cpu/w/cpu.cfs_period_us': '100000\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '400000\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    };
    expect(usableCores(machine(version1))).toEqual({ value: 4, source: 'cgroup' });
  });

  it('are what Slurm gave the task', () => {
    expect(usableCores(machine({}, { SLURM_CPUS_PER_TASK: '6' }))).toEqual({ value: 6, source: 'slurm' });
    const shared = { SLURM_CPUS_ON_NODE: '8', SLURM_STEP_TASKS_PER_NODE: '4' };
    expect(usableCores(machine({}, shared))).toEqual({ value: 2, source: 'slurm' });
  });
});

it('this machine has at least one core and some memory', () => {
  const here = thisMachine({});
  expect(usableCores(here).value).toBeGreaterThanOrEqual(1);
  expect(usableMemory(here).value).toBeGreaterThan(2 ** 20);
});
