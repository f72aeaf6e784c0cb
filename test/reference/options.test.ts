import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { estimatePriorScale, shrinkFromStatistics } from '@shardex/shared/stats';
import { shardex } from '../support/shardex.js';
import { describeWithShared } from '../support/shared-data.js';
import { readResults, type Results } from './calibration-truth.mjs';
import { readScanpyTable } from './screen-file.js';

const shrinkage = ['X', 'standard_error', 'pts', 'logfoldchange_shrunk', 'standard_error_shrunk'];

const DATASET = 'papalexi_thp1_eccite';

describeWithShared('options of shardex de on the Papalexi screen', (shared) => {
  let folder: string;
  let nb: Results;
  let tTest: Results;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-options-'));
    const design = ['--perturbation-column', 'perturbation', '--control-label', 'NT', '--tests', 'nb-glm,t-test'];
    const options = ['--shrink', 'apeglm', '--t-test', 'overestimated-variance', '--correction', 'bonferroni'];
    const run = ['de', shared(`data/${DATASET}.h5ad`), '--out', folder, '--force', '--quiet', ...design, ...options];
    const { exitCode, stderr } = await shardex(run);
    expect(exitCode, stderr).toBe(0);
    const common = ['pvalue', 'pvalue_adj', 'pvalue_adj_global', 'z_score'];
    nb = await readResults(folder, 'nb_glm', [...common, ...shrinkage]);
    tTest = await readResults(folder, 't_test', common);
  }, 120_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const layer = (results: Results, name: string): Float64Array => results.layers.get(name) ?? expect.fail(name);

  it('adjusts by Bonferroni within a perturbation and over the screen', () => {
    for (const results of [nb, tTest]) {
      const [p, within, global] = ['pvalue', 'pvalue_adj', 'pvalue_adj_global'].map((name) => layer(results, name));
      const nGenes = results.genes.length;
      const tested = p.filter((value) => !Number.isNaN(value)).length;
      for (let i = 0; i < p.length; i++) {
        if (Number.isNaN(p[i])) continue;
        const row = Math.floor(i / nGenes);
        const inRow = p.subarray(row * nGenes, (row + 1) * nGenes).filter((value) => !Number.isNaN(value)).length;
        expect(within[i]).toBe(Math.min(1, inRow * p[i]));
        expect(global[i]).toBe(Math.min(1, tested * p[i]));
      }
    }
  });

  it("tests means with scanpy's overestimated variance, to the square of float32", async () => {
    const table = await readScanpyTable(shared(`reference/${DATASET}`), 't-test_overestim_var', '');
    expect(table.length).toBe(25 * 299);
    const z = layer(tTest, 'z_score');
    for (const { group, gene, score } of table) {
      const at = tTest.perturbations.indexOf(group) * tTest.genes.length + tTest.genes.indexOf(gene);
      expect(Math.abs(z[at] - score), `${group} ${gene}`).toBeLessThan(1e-5);
    }
  });

  it('shrinks fold changes with the prior of their own comparison', () => {
    const [raw, errors, pts, shrunk, shrunkErrors] = shrinkage.map((name) => layer(nb, name));
    const nGenes = nb.genes.length;
    for (let row = 0; row < nb.perturbations.length; row++) {
      const own = (values: Float64Array): Float64Array => values.subarray(row * nGenes, (row + 1) * nGenes);
      const scale = estimatePriorScale(own(raw), own(errors));
      const normal = shrinkFromStatistics(own(raw), own(errors), scale);
      for (let gene = 0; gene < nGenes; gene++) {
        const at = row * nGenes + gene;
        if (Number.isNaN(raw[at])) continue;
        // The wide normal prior of the intercept, apeglm's too, can move a fold change near 0 by a few thousandths.
        expect(Math.abs(shrunk[at])).toBeLessThanOrEqual(Math.abs(raw[at]) + 0.01);
        // In a gene that most cells express the likelihood is all but normal, and its normal form is an independent judge.
        if (pts[at] < 0.8 || Math.abs(raw[at]) > 2) continue;
        expect(Math.abs(shrunk[at] - normal.log2FoldChangeShrunk[gene])).toBeLessThan(0.02);
        expect(shrunkErrors[at] / normal.standardErrorShrunkLog2[gene]).toBeCloseTo(1, 1);
      }
    }
  });
});
