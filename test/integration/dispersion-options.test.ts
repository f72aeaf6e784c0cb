import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeParameters } from '@shardex/shared/config';
import { readGeneColumn, readResults, type Results } from '../reference/calibration-truth.mjs';
import { readScreenCells, type ScreenCells } from '../reference/screen-cells.js';
import { deRunner } from '../support/de-runner.js';
import { hashes, simulatedScreen } from '../support/shardex.js';

const NB: Partial<DeParameters> = { tests: ['nb-glm'] };

/** The label of the simulation's control cells. */
const CONTROL = 'non-targeting';

describe('dispersions', () => {
  const runDe = deRunner();
  let folder: string;
  let screen: string;
  let cells: ScreenCells;
  /** Total of a cell over the geometric mean of all. */
  let sizeFactors: Float64Array;

  /** Runs and returns the path of nb_glm.h5ad's folder. */
  const run = async (name: string, parameters: Partial<DeParameters>, taskNonzeros = 1e9): Promise<string> => {
    const output = join(folder, name);
    await runDe(screen, output, { taskNonzeros, parameters });
    return output;
  };
  const columnOf = (output: string, column: string): Promise<Float64Array> =>
    readGeneColumn(join(output, 'nb_glm.h5ad'), column);
  const layerOf = (results: Results, name: string): Float64Array => results.layers.get(name) ?? expect.fail(name);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
    screen = await simulatedScreen(folder);
    cells = await readScreenCells(screen);
    const totals = Float64Array.from(cells.rows, ({ counts }) => counts.reduce((sum, y) => sum + y, 0));
    const centre = totals.reduce((sum, total) => sum + Math.log(total), 0) / totals.length;
    sizeFactors = totals.map((total) => total / Math.exp(centre));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Counts over size factors, and 1/s, of the chosen cells. */
  const normalised = (chosen: readonly number[]): { q: Float64Array[]; meanInverse: number } => {
    const q = cells.genes.map(() => new Float64Array(chosen.length));
    for (const [i, cell] of chosen.entries()) {
      for (const [k, gene] of cells.rows[cell].genes.entries())
        q[gene][i] = cells.rows[cell].counts[k] / sizeFactors[cell];
    }
    return { q, meanInverse: chosen.reduce((sum, cell) => sum + 1 / sizeFactors[cell], 0) / chosen.length };
  };
  const moments = (chosen: readonly number[]): number[] => {
    const { q, meanInverse } = normalised(chosen);
    return q.map((values) => {
      const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
      const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1);
      return Math.max((variance - meanInverse * mean) / mean ** 2, 1e-8);
    });
  };
  const all = (): number[] => [...cells.rows.keys()];
  const labelled = (...labels: string[]): number[] => all().filter((cell) => labels.includes(cells.labels[cell] ?? ''));

  it('by moments are those of sums over cells, of the screen, the control or a comparison', async () => {
    const estimator = { ...NB, dispersionEstimator: 'moments' } as const;
    const outputs = {
      global: await run('moments', estimator),
      control: await run('moments-control', { ...estimator, dispersionScope: 'control' }),
      own: await run('moments-own', { ...estimator, dispersionScope: 'per-comparison' }),
    };
    const own = await readResults(outputs.own, 'nb_glm', ['dispersion']);
    const { nGenes, first } = { nGenes: own.genes.length, first: own.perturbations[0] };
    const cases: (readonly [Float64Array, number[]])[] = [
      [await columnOf(outputs.global, 'dispersion'), moments(all())],
      [await columnOf(outputs.control, 'dispersion'), moments(labelled(CONTROL))],
      [layerOf(own, 'dispersion').subarray(0, nGenes), moments(labelled(CONTROL, first))],
    ];
    for (const [found, expected] of cases) {
      let compared = 0;
      for (let gene = 0; gene < nGenes; gene++) {
        if (Number.isNaN(expected[gene])) continue;
        compared++;
        // Float32 keeps 6e-8; the difference of variance and mean loses digits where α is small.
        expect(Math.abs(found[gene] - expected[gene])).toBeLessThan(2e-6 * Math.max(1, expected[gene]));
      }
      expect(compared).toBeGreaterThan(250);
    }
  });

  it('are the estimates that the estimator names', async () => {
    const genewise = await run('gene-wise', { ...NB, dispersionEstimator: 'gene-wise' });
    const trend = await run('trend', { ...NB, dispersionEstimator: 'trend' });
    const own = await columnOf(genewise, 'dispersion_genewise');
    const fitted = await columnOf(genewise, 'dispersion_trend');
    expect(await columnOf(genewise, 'dispersion')).toEqual(
      own.map((alpha, gene) => (alpha >= 0 ? alpha : fitted[gene])),
    );
    expect(await columnOf(trend, 'dispersion')).toEqual(fitted);
    expect(own).not.toEqual(fitted);
  });

  it.each(['map', 'gene-wise'] as const)(
    'of a comparison by itself are those of a run on nothing else: %s',
    async (dispersionEstimator) => {
      const perComparison = {
        ...NB,
        dispersionScope: 'per-comparison',
        dispersionEstimator,
        shrink: 'apeglm',
      } as const;
      const layers = ['X', 'pvalue', 'standard_error', 'logfoldchange_shrunk'];
      const together = await readResults(await run(`own-${dispersionEstimator}`, perComparison), 'nb_glm', [
        ...layers,
        'dispersion',
      ]);
      const row = 3;
      const perturbation = together.perturbations[row];
      const alone = await run(`alone-${dispersionEstimator}`, {
        ...NB,
        dispersionEstimator,
        shrink: 'apeglm',
        perturbations: [perturbation],
      });
      const only = await readResults(alone, 'nb_glm', layers);
      const nGenes = together.genes.length;
      const dispersion = layerOf(together, 'dispersion').subarray(row * nGenes, (row + 1) * nGenes);
      const expected = await columnOf(alone, 'dispersion');
      let compared = 0;
      for (let gene = 0; gene < nGenes; gene++) {
        if (Number.isNaN(layerOf(only, 'X')[gene])) continue;
        compared++;
        // Size factors differ by a constant and nodes by their range: nothing but rounding, and 1e-6 of log α.
        expect(Math.abs(Math.log(dispersion[gene] / expected[gene]))).toBeLessThan(1e-4);
        for (const name of layers) {
          const difference = layerOf(together, name)[row * nGenes + gene] - layerOf(only, name)[gene];
          expect(Math.abs(difference), `${name} ${together.genes[gene]}`).toBeLessThan(1e-4);
        }
      }
      expect(compared).toBeGreaterThan(250);
    },
  );

  it('of the control do not depend on the perturbations', async () => {
    const control = { ...NB, dispersionScope: 'control' } as const;
    const whole = await readResults(await run('control', control), 'nb_glm', ['X']);
    const [all, half] = await Promise.all([
      columnOf(join(folder, 'control'), 'dispersion'),
      run('control-half', { ...control, perturbations: whole.perturbations.slice(0, 6) }).then((output) =>
        columnOf(output, 'dispersion'),
      ),
    ]);
    for (const [gene, alpha] of all.entries()) expect(Math.abs(Math.log(alpha / half[gene]))).toBeLessThan(1e-4);
    const global = await run('global', NB);
    expect(await columnOf(global, 'dispersion')).not.toEqual(all);
  });

  it.each<Partial<DeParameters>>([
    { dispersionScope: 'per-comparison', dispersionEstimator: 'moments', standardErrors: 'robust', nbTest: 'wald' },
    { dispersionScope: 'per-comparison', shrink: 'apeglm', reference: 'rest', standardErrors: 'robust' },
    { dispersionScope: 'control', dispersionEstimator: 'gene-wise', waldReference: 't', nbTest: 'wald' },
    { dispersionEstimator: 'moments', minTotalCount: 20, minNonzero: 2, lowExpressionFilter: true },
  ])('are the same bytes for any shards: %o', async (options) => {
    const parameters = { ...options, layers: 'crispyx' } as const;
    const name = JSON.stringify(options).replace(/\W/g, '');
    const files = ['nb_glm.h5ad', 'wilcoxon.h5ad', 't_test.h5ad'];
    const whole = await hashes(await run(`${name}-whole`, parameters), files);
    expect(await hashes(await run(`${name}-cut`, parameters, 7_000), files)).toEqual(whole);
  });
});
