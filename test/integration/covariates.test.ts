import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeParameters } from '@shardex/shared/config';
import { ResultTable } from '../support/result-table.js';
import { deRunner, type DeRun } from '../support/de-runner.js';
import { hashes, shardex, simulatedScreen, withFolder } from '../support/shardex.js';
import { writeSmallH5ad, type Matrix } from '../support/small-h5ad.js';

describe('categorical covariates', () => {
  const runDe = deRunner();
  let folder: string;
  let screen: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
    screen = await simulatedScreen(folder);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const run = async (name: string, parameters: Partial<DeParameters>, options: DeRun = {}): Promise<ResultTable> => {
    const output = join(folder, name);
    const all = { formats: ['csv'], layers: 'crispyx', tests: ['nb-glm'], ...parameters } as const;
    await runDe(screen, output, { ...options, parameters: all });
    return ResultTable.read(join(output, 'nb_glm.csv'));
  };

  it('give the same bytes for any number of workers', async () => {
    const asked = { covariates: ['batch'], standardErrors: 'robust' } as const;
    await run('one', asked, { taskNonzeros: 1e9 });
    await run('three', asked, { workers: 3, taskNonzeros: 7_000 });
    expect(await hashes(join(folder, 'three'), ['nb_glm.csv'])).toEqual(
      await hashes(join(folder, 'one'), ['nb_glm.csv']),
    );
  });

  it('are the same as a batch column, and the same model as by single cells', async () => {
    const covariate = await run('covariate', { covariates: ['batch'] });
    await run('batch', { batchColumn: 'batch' });
    const [a, b] = await Promise.all(['covariate', 'batch'].map((name) => hashes(join(folder, name), ['nb_glm.csv'])));
    expect(a).toEqual(b);
    // Cook's distances need the engine over single cells, for the same model at the same dispersions.
    const byCells = await run('cells', { covariates: ['batch'], cooks: true });
    const plain = await run('plain', {});
    let differing = 0;
    for (const label of covariate.perturbations) {
      expect(covariate.column(label, 'status')).toEqual(byCells.column(label, 'status'));
      for (const name of ['effect', 'standard_error', 'z_score']) {
        const [own, other] = [covariate.column(label, name), byCells.column(label, name)];
        // Tables have seven digits.
        own.forEach(
          (x, gene) => Number.isNaN(x) || expect(Math.abs(x - other[gene])).toBeLessThan(3e-6 * (1 + Math.abs(x))),
        );
        plain.column(label, name).forEach((x, gene) => (differing += Math.abs(x - own[gene]) > 0.01 ? 1 : 0));
      }
    }
    expect(differing).toBeGreaterThan(100);
  });

  it('say that slopes stay out of the global dispersions', async () => {
    const warned = await shardex([
      'de',
      screen,
      '--out',
      join(folder, 'slope'),
      '--covariates',
      'true_size_factor',
      '--tests',
      'nb-glm',
      '--workers',
      '1',
    ]);
    expect(warned.exitCode, warned.stderr).toBe(0);
    const record = JSON.parse(await readFile(join(folder, 'slope', 'run.json'), 'utf8')) as { warnings: string[] };
    expect(record.warnings.join('\n')).toContain(
      '"true_size_factor" do not enter the mean model of the global dispersions',
    );
  });
});

describe('covariates that cannot be fitted', () => {
  const cells = 24;
  const matrix: Matrix = Array.from({ length: cells }, (_, cell) => [(cell * 7) % 5, (cell * 3) % 4, 1 + (cell % 3)]);
  const labels = Array.from({ length: cells }, (_, cell) => ['control', 'control', 'a', 'b'][cell % 4]);
  const column = (of: (label: string, cell: number) => string): string[] =>
    labels.map((label, cell) => of(label, cell));

  const refusal = (columns: Readonly<Record<string, readonly string[]>>, ...options: string[]) =>
    withFolder(async (folder) => {
      const path = join(folder, 'small.h5ad');
      await writeSmallH5ad(path, matrix, 3, { labels, columns });
      const outcome = await shardex(['de', path, '--out', join(folder, 'out'), '--workers', '1', ...options]);
      const record = await readFile(join(folder, 'out', 'run.json'), 'utf8').catch(() => '{}');
      const table = await ResultTable.read(join(folder, 'out', 'nb_glm.csv')).catch(() => null);
      return { ...outcome, warnings: (JSON.parse(record) as { warnings?: string[] }).warnings ?? [], table };
    });

  it.each([
    ['an unknown column', ['--covariates', 'lane'], 'has no obs column "lane"'],
    ['the perturbation column', ['--covariates', 'perturbation'], 'the perturbation column itself'],
    ['columns that follow from each other', ['--covariates', 'donor,sex'], 'covariate "sex" is collinear with "donor"'],
    ['a test without covariates', ['--covariates', 'donor', '--tests', 'wilcoxon'], 'leaves it out'],
    ['a column that is the arm', ['--covariates', 'arm'], 'every perturbation is collinear with "arm"'],
  ])('are refused: %s', async (_, options, sentence) => {
    const columns = {
      donor: column((_label, cell) => `d${cell % 3}`),
      sex: column((_label, cell) => (cell % 3 === 0 ? 'f' : 'm')),
      arm: column((label) => (label === 'control' ? 'x' : 'y')),
    };
    const { exitCode, stderr } = await refusal(columns, '--control-label', 'control', ...options);
    expect(stderr).toContain(sentence);
    expect(exitCode).toBe(2);
  });

  it('are named where one perturbation lies in a batch of its own', async () => {
    const columns = { batch: column((label, cell) => (label === 'a' ? 'own' : `b${(cell >> 2) % 2}`)) };
    const asked = ['--control-label', 'control', '--covariates', 'batch', '--tests', 'nb-glm', '--dispersion', '0.1'];
    const { exitCode, stderr, warnings, table } = await refusal(columns, ...asked, '--format', 'csv');
    expect(exitCode, stderr).toBe(0);
    expect(warnings).toContain(
      'perturbation a: collinear with "batch", so the NB-GLM has no answer (status collinear-design)',
    );
    expect(table?.column('a', 'status')).toEqual([12, 12, 12]);
    expect(table?.column('a', 'pvalue').every(Number.isNaN)).toBe(true);
    expect(table?.column('b', 'status')).toEqual([0, 0, 0]);
  });
});
