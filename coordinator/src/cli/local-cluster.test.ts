import { describe, expect, it } from 'vitest';
import { localCluster } from './local-cluster.js';

const GIBIBYTE = 2 ** 30;
const NOTHING = { workers: null, memoryBytes: null };

/** 16 cores and 10 GiB, no control group, and these variables. */
const machine = (environment: Record<string, string> = {}) => ({
  environment,
  readText: () => null,
  parallelism: 16,
  totalMemoryBytes: 10 * GIBIBYTE,
});

describe('the embedded cluster', () => {
  it('has a worker for each core, and gives each its part of the memory', () => {
    expect(localCluster(NOTHING, machine())).toEqual({ workers: 16, memoryBytes: Math.floor((6 * GIBIBYTE) / 16) });
  });

  it('keeps to the cores and the memory of its Slurm job', () => {
    const slurm = machine({ SLURM_CPUS_PER_TASK: '3', SLURM_MEM_PER_NODE: '5120' });
    expect(localCluster(NOTHING, slurm)).toEqual({ workers: 3, memoryBytes: GIBIBYTE });
  });

  it('gives no worker more than it can use', () => {
    const large = { ...machine(), totalMemoryBytes: 1e12 };
    expect(localCluster({ ...NOTHING, workers: 1 }, large)).toEqual({ workers: 1, memoryBytes: 4 * GIBIBYTE });
  });

  it('is as it was asked for', () => {
    const asked = { workers: 40, memoryBytes: 7 };
    expect(localCluster(asked, machine())).toEqual(asked);
  });
});
