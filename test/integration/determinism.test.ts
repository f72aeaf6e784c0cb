import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JobState, StageState } from '@shardex/proto';
import { hashes, runCluster, simulatedScreen, type ClusterRun } from '../support/shardex.js';

const FILES = [
  'nb_glm.h5ad',
  'wilcoxon.h5ad',
  't_test.h5ad',
  'nb_glm.csv',
  'wilcoxon.csv',
  't_test.csv',
  'nb_glm.parquet',
  'wilcoxon.parquet',
  't_test.parquet',
  'cells.parquet',
];

interface RunRecord {
  readonly stages: readonly { readonly name: string; readonly tasks: number; readonly retries: number }[];
}

describe('the same bytes', () => {
  let folder: string;
  let screen: string;
  let expected: Record<string, string>;

  const run = async (name: string, options: ClusterRun): Promise<RunRecord> => {
    const output = join(folder, name);
    const parameters = { formats: ['h5ad', 'csv', 'parquet'], layers: 'crispyx', scanpy: true } as const;
    const job = await runCluster(screen, output, { ...options, parameters });
    expect(job.state, job.failure?.message).toBe(JobState.SUCCEEDED);
    return JSON.parse(await readFile(join(output, 'run.json'), 'utf8')) as RunRecord;
  };
  const tasksOf = (record: RunRecord, stage: string): number =>
    record.stages.find(({ name }) => name === stage)?.tasks ?? 0;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
    screen = await simulatedScreen(folder);
    const record = await run('whole', { workers: 1, taskNonzeros: 1e9 });
    expect(tasksOf(record, 'scan')).toBe(1);
    expected = await hashes(join(folder, 'whole'), FILES);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each([
    { workers: 2, taskNonzeros: 60_000 },
    { workers: 3, taskNonzeros: 7_000 },
  ])('come from $workers workers with tasks of $taskNonzeros nonzeros', async (options) => {
    const record = await run(`w${options.workers}`, options);
    expect(tasksOf(record, 'scan')).toBeGreaterThan(1);
    expect(tasksOf(record, 'control')).toBeGreaterThan(1);
    expect(tasksOf(record, 'dispersion')).toBeGreaterThan(1);
    expect(tasksOf(record, 'fit')).toBeGreaterThan(1);
    expect(await hashes(join(folder, `w${options.workers}`), FILES)).toEqual(expected);
  });

  it.each(['scan', 'dispersion', 'fit'])('come after a worker is killed in the %s stage', async (stage) => {
    const workers: number[] = [];
    let killed = 0;
    const record = await run(`killed-${stage}`, {
      workers: 2,
      taskNonzeros: 7_000,
      // A stage of so small a screen is over sooner than the next update would usually come.
      watchIntervalMs: 0,
      onWorker: (pid) => workers.push(pid),
      onUpdate: ({ job }) => {
        const running = job.stages.find(({ name }) => name === stage);
        if (killed > 0 || running?.state !== StageState.RUNNING || running.tasksRunning === 0) return;
        killed = workers[0];
        process.kill(killed, 'SIGKILL');
      },
    });
    expect(killed, 'the fault never fired').toBeGreaterThan(0);
    expect(workers.length, 'the killed worker was replaced').toBe(3);
    expect(tasksOf(record, 'fit')).toBeGreaterThan(1);
    expect(await hashes(join(folder, `killed-${stage}`), FILES)).toEqual(expected);
  });
});

describe('a fit output of more rows than are merged at a time', () => {
  /** 750,000 pairs: above BLOCK_PAIRS of coordinator/src/adapters/reductions/fit-outputs.ts. */
  const LARGE = '--cells 900 --genes 5000 --perturbations 150 --depth 150 --seed 7';
  const RESULTS = ['nb_glm.h5ad', 'wilcoxon.h5ad', 't_test.h5ad'];
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('gives the bytes of several small ones, shrunken fold changes included', async () => {
    const screen = await simulatedScreen(folder, LARGE);
    const [whole, parts] = [join(folder, 'whole'), join(folder, 'parts')];
    const fitTasks: number[] = [];
    for (const [output, taskNonzeros] of [
      [whole, 1e9],
      [parts, 3e6],
    ] as const) {
      const job = await runCluster(screen, output, { workers: 2, taskNonzeros, parameters: { shrink: 'apeglm' } });
      expect(job.state, job.failure?.message).toBe(JobState.SUCCEEDED);
      const { stages } = JSON.parse(await readFile(join(output, 'run.json'), 'utf8')) as RunRecord;
      fitTasks.push(stages.find(({ name }) => name === 'fit')?.tasks ?? 0);
    }
    expect(fitTasks[0]).toBe(1);
    expect(fitTasks[1]).toBeGreaterThan(4);
    expect(await hashes(whole, RESULTS)).toEqual(await hashes(parts, RESULTS));
  });
});
