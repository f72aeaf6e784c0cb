import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JobState } from '@shardex/proto';
import { estimatePriorScale } from '@shardex/shared/stats';
import { hashes, runCluster, simulatedScreen, type ClusterRun } from '../support/shardex.js';
import { ResultTable } from '../support/result-table.js';

const FILES = ['nb_glm.h5ad', 'nb_glm.csv'];
const SHRUNK = ['logfoldchange_shrunk', 'standard_error_shrunk'];

interface RunRecord {
  readonly shrinkage: {
    readonly method: string;
    readonly likelihood: string;
    readonly prior: string;
    readonly prior_scale: number | Readonly<Record<string, number>>;
    readonly genes_with_two_modes: number;
    readonly genes_not_converged: number;
  } | null;
  readonly stages: readonly { readonly name: string; readonly tasks: number }[];
}

describe('shrunken fold changes of shardex de', () => {
  let folder: string;
  let screen: string;

  const run = async (name: string, options: ClusterRun): Promise<RunRecord> => {
    const parameters = { tests: ['nb-glm'], formats: ['h5ad', 'csv'], ...options.parameters } as const;
    const job = await runCluster(screen, join(folder, name), { ...options, parameters });
    expect(job.state, job.failure?.message).toBe(JobState.SUCCEEDED);
    return JSON.parse(await readFile(join(folder, name, 'run.json'), 'utf8')) as RunRecord;
  };
  const table = (name: string): Promise<ResultTable> => ResultTable.read(join(folder, name, 'nb_glm.csv'));

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
    screen = await simulatedScreen(folder);
    await run('raw', {});
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  describe.each(['per-comparison', 'global'] as const)('with a prior %s', (shrinkPrior) => {
    const parameters = { shrink: 'apeglm', shrinkPrior } as const;
    let record: RunRecord;
    let shrunk: ResultTable;
    let raw: ResultTable;

    beforeAll(async () => {
      record = await run(shrinkPrior, { workers: 1, taskNonzeros: 1e9, parameters });
      [shrunk, raw] = [await table(shrinkPrior), await table('raw')];
    });

    it('are the same bytes for any number of workers and tasks', async () => {
      const many = await run(`${shrinkPrior}-3`, { workers: 3, taskNonzeros: 7_000, parameters });
      const tasks = (of: RunRecord) => of.stages.find(({ name }) => name === 'shrink')?.tasks;
      expect([tasks(record), (tasks(many) ?? 0) > 1]).toEqual([1, true]);
      expect(many.stages.some(({ name }) => name === 'shrink-prior')).toBe(shrinkPrior === 'global');
      expect(await hashes(join(folder, `${shrinkPrior}-3`), FILES)).toEqual(
        await hashes(join(folder, shrinkPrior), FILES),
      );
    });

    it('stand beside raw columns that they leave as they were', () => {
      for (const label of raw.perturbations) {
        for (const name of [
          'effect',
          'standard_error',
          'z_score',
          'pvalue',
          'pvalue_adj',
          'pvalue_adj_global',
          'pts',
        ]) {
          expect(shrunk.column(label, name)).toEqual(raw.column(label, name));
        }
        for (const name of SHRUNK) {
          const filled = shrunk.column(label, name).map((value) => !Number.isNaN(value));
          expect(filled).toEqual(raw.column(label, 'effect').map((value) => !Number.isNaN(value)));
        }
      }
    });

    it('have a prior whose scale is said', () => {
      const labels = raw.perturbations;
      const all = (name: string): number[] => labels.flatMap((label) => raw.column(label, name));
      const facts = record.shrinkage ?? expect.fail('run.json has no shrinkage');
      expect(facts).toMatchObject({ method: 'apeglm', likelihood: 'counts', prior: shrinkPrior });
      expect(facts.genes_not_converged).toBe(0);
      if (shrinkPrior === 'global') {
        const scale = estimatePriorScale(all('effect'), all('standard_error'));
        // Both searches end at a bracket of 1e-10 of the variance; the table's decimals are those of float32.
        expect(facts.prior_scale as number).toBeCloseTo(scale, 7);
        return;
      }
      const scales = facts.prior_scale as Record<string, number>;
      expect(Object.keys(scales)).toEqual(labels);
      for (const label of labels) {
        const scale = estimatePriorScale(raw.column(label, 'effect'), raw.column(label, 'standard_error'));
        expect(scales[label]).toBeCloseTo(scale, 7);
      }
    });
  });

  it('depend on the prior', async () => {
    const [own, one] = [await table('per-comparison'), await table('global')];
    const [label] = own.perturbations;
    expect(own.column(label, SHRUNK[0])).not.toEqual(one.column(label, SHRUNK[0]));
  });

  it('are not mentioned where none were asked for', async () => {
    const record = JSON.parse(await readFile(join(folder, 'raw', 'run.json'), 'utf8')) as RunRecord;
    expect(record.shrinkage).toBeNull();
    expect(record.stages.map(({ name }) => name)).not.toContain('shrink');
  });
});
