import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shardex } from '../support/shardex.js';
import { calibration, dispersionError, foldChangeAgreement, knockDowns } from './calibration-measures.mjs';
import { readGeneColumn, readResults, readTruth, type Results, type Truth } from './calibration-truth.mjs';

/**
 * 100,000 true nulls: the shares of p < 0.05 and p < 0.001 then have standard deviations of 0.0007 and 0.0001, a tenth and a
 * fifth of what the bounds allow.
 */
const SCREEN = ['--cells', '8000', '--genes', '2500', '--perturbations', '40', '--depth', '3000', '--seed', '3'];

/** Measured on the same screen at full size: docs/validation.md. Bounds of the shares and the slope: issue 3. */
describe('a simulated screen, from the command line to the result files', () => {
  let folder: string;
  let truth: Truth;
  const results = {} as Record<'nb' | 'wilcoxon', Results>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-calibration-'));
    const screen = join(folder, 'screen.h5ad');
    for (const args of [
      ['simulate', screen, ...SCREEN],
      ['de', screen, '--out', join(folder, 'out'), '--workers', '2', '--quiet'],
    ]) {
      const { exitCode, stderr } = await shardex(args);
      expect(exitCode, stderr).toBe(0);
    }
    truth = await readTruth(screen);
    const common = ['X', 'z_score', 'pvalue', 'pvalue_adj'];
    results.nb = await readResults(join(folder, 'out'), 'nb_glm', common);
    results.wilcoxon = await readResults(join(folder, 'out'), 'wilcoxon', [...common, 'logfoldchanges']);
  }, 180_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('has p-values of the NB likelihood-ratio test that are uniform under the null', () => {
    const { nulls, nullsByMean } = calibration(truth, results.nb);
    expect(nulls.tests).toBeGreaterThan(80_000);
    expect(nulls.below05).toBeGreaterThan(0.04);
    expect(nulls.below05).toBeLessThan(0.06);
    expect(nulls.below001).toBeGreaterThan(0.0005);
    expect(nulls.below001).toBeLessThan(0.002);
    for (const bin of nullsByMean.slice(1)) {
      // Fewer tests each, and genes of one perturbation share its size factors: a wider band.
      expect(bin.below05).toBeGreaterThan(0.035);
      expect(bin.below05).toBeLessThan(0.065);
    }
  });

  it('has log2 fold changes that are neither shrunk nor stretched', () => {
    const { pairs, slope, rmse } = foldChangeAgreement(truth, results.nb, 'X');
    expect(pairs).toBeGreaterThan(500);
    expect(slope).toBeGreaterThan(0.97);
    expect(slope).toBeLessThan(1.03);
    expect(rmse).toBeLessThan(0.25);
  });

  it('recovers the dispersions', async () => {
    const dispersion = await readGeneColumn(join(folder, 'out', 'nb_glm.h5ad'), 'dispersion');
    expect(dispersionError(truth, dispersion)).toBeLessThan(0.2);
  });

  it('sees most knock-downs, and keeps the false share near its level', () => {
    const { targets, found } = knockDowns(results.nb);
    expect(targets).toBe(40);
    expect(found / targets).toBeGreaterThan(0.8);
    const { found: share, falseShare } = calibration(truth, results.nb);
    expect(share).toBeGreaterThan(0.25);
    expect(falseShare).toBeLessThan(0.08);
  });

  it('has rank-sum tests that hold their level too', () => {
    const { nulls } = calibration(truth, results.wilcoxon);
    expect(nulls.below05).toBeGreaterThan(0.04);
    expect(nulls.below05).toBeLessThan(0.06);
    const { slope } = foldChangeAgreement(truth, results.wilcoxon, 'logfoldchanges');
    expect(slope).toBeGreaterThan(0.97);
    expect(slope).toBeLessThan(1.03);
  });
});
