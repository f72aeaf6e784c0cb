import { cp, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { estimatePriorScale, shrinkFromStatistics } from '@shardex/shared/stats';
import { deRunner, type DeRun } from '../support/de-runner.js';
import { hashes, runCluster, shardex, simulatedScreen } from '../support/shardex.js';
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
  const runDe = deRunner();
  let folder: string;
  let screen: string;

  const run = async (name: string, options: DeRun): Promise<RunRecord> => {
    const parameters = { tests: ['nb-glm'], formats: ['h5ad', 'csv'], ...options.parameters } as const;
    await runDe(screen, join(folder, name), { ...options, parameters });
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
      record = await run(shrinkPrior, { taskNonzeros: 1e9, parameters });
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

describe('shardex shrink', () => {
  let folder: string;
  let screen: string;
  const parameters = { tests: ['nb-glm'], formats: ['h5ad', 'csv', 'parquet'] } as const;
  const at = (...parts: string[]): string => join(folder, ...parts);
  const shrink = (name: string, ...options: string[]) => shardex(['shrink', at(name), '--quiet', ...options]);
  const recordOf = async (name: string) => JSON.parse(await readFile(at(name, 'run.json'), 'utf8')) as RunRecord;
  const table = (name: string): Promise<ResultTable> => ResultTable.read(at(name, 'nb_glm.csv'));

  /** Values of a column over all perturbations. */
  const column = (of: ResultTable, name: string): number[] =>
    of.perturbations.flatMap((label) => of.column(label, name));

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
    screen = await simulatedScreen(folder);
    await runCluster(screen, at('raw'), { parameters });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  beforeEach(async () => {
    await rm(at('run'), { recursive: true, force: true });
    await cp(at('raw'), at('run'), { recursive: true });
  });

  it.each(['per-comparison', 'global'] as const)('from the counts is what de gives, with a prior %s', async (prior) => {
    const expected = at(`de-${prior}`);
    await runCluster(screen, expected, { parameters: { ...parameters, shrink: 'apeglm', shrinkPrior: prior } });
    const outcome = await shrink('run', '--method', 'full', '--prior', prior, '--workers', '1');
    expect(outcome).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    // The tables hold every number; the h5ad file tells besides that it was not de that shrank.
    const tables = ['nb_glm.csv', 'nb_glm.parquet'];
    expect(await hashes(at('run'), tables)).toEqual(await hashes(expected, tables));
    const { shrinkage } = await recordOf('run');
    expect(shrinkage).toMatchObject((await recordOf(`de-${prior}`)).shrinkage ?? {});
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it.each(['per-comparison', 'global'] as const)('from statistics is its definition, prior %s', async (prior) => {
    expect(await shrink('run', '--prior', prior)).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    const [before, after] = [await table('raw'), await table('run')];
    const scaleOf = (label?: string): number =>
      label === undefined
        ? estimatePriorScale(column(before, 'effect'), column(before, 'standard_error'))
        : estimatePriorScale(before.column(label, 'effect'), before.column(label, 'standard_error'));
    for (const label of before.perturbations) {
      const [raw, errors] = [before.column(label, 'effect'), before.column(label, 'standard_error')];
      expect(after.column(label, 'effect')).toEqual(raw);
      expect(after.column(label, 'pvalue')).toEqual(before.column(label, 'pvalue'));
      const scale = prior === 'global' ? scaleOf() : scaleOf(label);
      const expected = shrinkFromStatistics(raw, errors, scale).log2FoldChangeShrunk;
      for (const [gene, value] of after.column(label, SHRUNK[0]).entries())
        if (!Number.isNaN(value)) expect(Math.abs(value - expected[gene])).toBeLessThan(1e-6 * (1 + Math.abs(value)));
    }
    expect((await recordOf('run')).shrinkage).toMatchObject({ method: 'apeglm', likelihood: 'normal', prior });
  });

  it('refuses to replace what is there, unless it is told to', async () => {
    expect((await shrink('run')).exitCode).toBe(0);
    const files = ['nb_glm.h5ad', 'nb_glm.csv', 'nb_glm.parquet', 'run.json'];
    const before = await hashes(at('run'), files);
    const refused = await shrink('run', '--prior', 'global');
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toMatch(/^shardex: .*nb_glm\.h5ad has shrunken fold changes already: .*--force\n$/);
    expect(await hashes(at('run'), files)).toEqual(before);
    expect((await shrink('run', '--prior', 'global', '--force')).exitCode).toBe(0);
    expect((await recordOf('run')).shrinkage?.prior).toBe('global');
    const [own, one] = [await table('run'), await table('raw')];
    expect(column(own, 'effect')).toEqual(column(one, 'effect'));
  });

  it('from the counts says so when the input is gone, or has another size', async () => {
    const moved = at('moved.h5ad');
    await rename(screen, moved);
    try {
      const gone = await shrink('run', '--method', 'full');
      expect(gone).toMatchObject({ exitCode: 2 });
      expect(gone.stderr).toContain('the input of the recorded run, is not there');
      const bytes = await readFile(moved);
      await writeFile(screen, bytes.subarray(0, bytes.length - 1));
      const changed = await shrink('run', '--method', 'full');
      expect(changed).toMatchObject({ exitCode: 2 });
      expect(changed.stderr).toContain('is no longer the file that the results were computed from');
    } finally {
      await rm(screen, { force: true });
      await rename(moved, screen);
    }
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it.each([
    ['is no longer the file that the results were computed from', { input: { content_hash: 'another' } }],
    ['differs from what this version of shardex computes', { parameters: { dispersion: { value: 0.3 } } }],
  ])('from the counts says of a run that it %s', async (sentence, difference) => {
    const record = JSON.parse(await readFile(at('run', 'run.json'), 'utf8')) as Record<string, object>;
    for (const [entry, fields] of Object.entries(difference)) record[entry] = { ...record[entry], ...fields };
    await writeFile(at('run', 'run.json'), JSON.stringify(record));
    const outcome = await shrink('run', '--method', 'full', '--workers', '1');
    expect(outcome).toMatchObject({ exitCode: 2 });
    expect(outcome.stderr).toContain(sentence);
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it.each([
    [['--method', 'half'], '--method: unknown method "half"'],
    [['--prior', 'own'], '--prior: unknown scope "own"'],
  ])('does not take %j', async (options, sentence) => {
    const outcome = await shrink('run', ...options);
    expect(outcome).toMatchObject({ exitCode: 2 });
    expect(outcome.stderr).toContain(sentence);
  });

  it('needs a finished run', async () => {
    await rm(at('run', 'run.json'));
    const outcome = await shrink('run');
    expect(outcome).toMatchObject({ exitCode: 2 });
    expect(outcome.stderr).toContain('has no run.json');
  });
});
