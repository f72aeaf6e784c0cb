import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GeneStatus } from '@shardex/shared/stats';
import { shardex } from '../support/shardex.js';
import { describeWithShared } from '../support/shared-data.js';
import { readResults } from './calibration-truth.mjs';
import { readScreenCells } from './screen-cells.js';

/** The tests, with what crispyx 0.2.2 does beyond the low-expression filter: its NB-GLM wants counts in both arms. */
const TESTS = [
  {
    test: 'nb-glm',
    file: 'nb_glm',
    options: ['--size-factors', 'sparse', '--min-total-count', '1', '--min-nonzero', '1'],
  },
  { test: 'wilcoxon', file: 'wilcoxon', options: [] },
  { test: 't-test', file: 't_test', options: [] },
] as const;

const SCREENS = [
  { dataset: 'papalexi_thp1_eccite', control: 'NT' },
  { dataset: 'datlinger_jurkat_scifi', control: 'control' },
] as const;

describeWithShared('genes left out of single comparisons', (shared) => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-filters-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const run = async (dataset: string, control: string, options: readonly string[]): Promise<void> => {
    const design = ['--perturbation-column', 'perturbation', '--control-label', control];
    const common = ['--out', folder, '--force', '--quiet', ...design];
    const { exitCode, stderr } = await shardex(['de', shared(`data/${dataset}.h5ad`), ...common, ...options]);
    expect(exitCode, stderr).toBe(0);
  };

  it.each(SCREENS.flatMap((screen) => TESTS.map((test) => ({ ...screen, ...test }))))(
    "are crispyx's: $test on $dataset",
    async ({ dataset, control, test, file, options }) => {
      await run(dataset, control, ['--tests', test, '--low-expression-filter', ...options]);
      const ours = await readResults(folder, file, ['pvalue', 'status']);
      const name = `crispyx_${file}`;
      const theirs = await readResults(shared(`reference/${dataset}`), name, ['pvalue']);
      const [p, status, peer] = [ours.layers.get('pvalue'), ours.layers.get('status'), theirs.layers.get('pvalue')];
      if (p === undefined || status === undefined || peer === undefined) expect.fail('a layer is missing');
      const genes = theirs.genes.map((gene) => ours.genes.indexOf(gene));
      let left = 0;
      for (const [row, perturbation] of theirs.perturbations.entries()) {
        const own = ours.perturbations.indexOf(perturbation) * ours.genes.length;
        for (const [gene, at] of genes.entries()) {
          const isLeft = Number.isNaN(peer[row * genes.length + gene]);
          expect(Number.isNaN(p[own + at]), `${perturbation} ${theirs.genes[gene]}`).toBe(isLeft);
          expect(status[own + at] !== GeneStatus.tested).toBe(isLeft);
          if (isLeft) left++;
        }
      }
      expect(left).toBeGreaterThan(50);
    },
    60_000,
  );

  it('follow from the counts of both arms, and enter no correction', async () => {
    const filters = { '--min-cells-expressed': 30, '--min-total-count': 60, '--min-nonzero': 7 };
    const options = Object.entries(filters).flatMap(([name, value]) => [name, String(value)]);
    await run('papalexi_thp1_eccite', 'NT', ['--tests', 't-test', '--correction', 'bonferroni', ...options]);
    const { genes, perturbations, layers } = await readResults(folder, 't_test', ['pvalue', 'pvalue_adj', 'status']);
    const cells = await readScreenCells(shared('data/papalexi_thp1_eccite.h5ad'));
    const sums = new Map<string | null, { total: Float64Array; expressing: Float64Array }>();
    for (const [cell, { genes: expressed, counts }] of cells.rows.entries()) {
      const label = cells.labels[cell];
      const own = sums.get(label) ?? {
        total: new Float64Array(genes.length),
        expressing: new Float64Array(genes.length),
      };
      sums.set(label, own);
      for (const [i, gene] of expressed.entries()) {
        own.total[gene] += counts[i];
        own.expressing[gene]++;
      }
    }
    const control = sums.get('NT') ?? expect.fail('no control');
    const [p, adjusted, status] = ['pvalue', 'pvalue_adj', 'status'].map(
      (name) => layers.get(name) ?? expect.fail(name),
    );
    const seen = new Set<number>();
    for (const [row, perturbation] of perturbations.entries()) {
      const own = sums.get(perturbation) ?? expect.fail(perturbation);
      const first = row * genes.length;
      const tested = p.subarray(first, first + genes.length).filter((value) => !Number.isNaN(value)).length;
      for (const gene of genes.keys()) {
        const [few, both] = [own.expressing[gene], own.expressing[gene] + control.expressing[gene]];
        const total = own.total[gene] + control.total[gene];
        let expected: number = GeneStatus.tested;
        if (both < 30) expected = GeneStatus.filteredLowCells;
        else if (total < 60) expected = GeneStatus.filteredLowTotal;
        else if (few < 7 || control.expressing[gene] < 7) expected = GeneStatus.filteredFewNonzero;
        expect(status[first + gene], `${perturbation} ${genes[gene]}`).toBe(expected);
        seen.add(expected);
        if (expected !== GeneStatus.tested) expect(p[first + gene]).toBeNaN();
        else expect(adjusted[first + gene]).toBe(Math.min(1, tested * p[first + gene]));
      }
    }
    expect(seen.size).toBe(4);
  }, 60_000);
});
