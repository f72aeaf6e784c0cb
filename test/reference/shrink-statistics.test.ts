import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readObsColumn } from '@shardex/shared/h5ad';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shardex } from '../support/shardex.js';
import { describeWithShared } from '../support/shared-data.js';
import { correlation, median } from './agreement.js';
import { readResults, type Results } from './calibration-truth.mjs';

/**
 * `shardex shrink --method stats`, which takes the likelihood as normal, beside the likelihood of the counts: with the same
 * priors, as both estimate the scale from the same columns.
 */
const LAYERS = ['X', 'standard_error', 'logfoldchange_shrunk', 'standard_error_shrunk', 'mean'];

/** With fewer counts the likelihood is so skewed that the normal form is no approximation; what it gives is printed only. */
const FEWEST_COUNTS = 20;

const SCREENS = [
  { dataset: 'papalexi_thp1_eccite', control: 'NT', shown: ['STAT1', 'BRD4', 'IFNGR1', 'MYC'], least: 0.998 },
  { dataset: 'datlinger_jurkat_scifi', control: 'control', shown: ['LCK', 'ZAP70'], least: 0.99 },
] as const;

describeWithShared('shrinkage from statistics and from counts', (shared) => {
  describe.each(SCREENS)('on $dataset', ({ dataset, control, shown, least }) => {
    let folder: string;
    let counts: Results;
    let statistics: Results;

    const shardexRuns = async (...options: string[]): Promise<void> => {
      const { exitCode, stderr } = await shardex([...options, '--quiet']);
      expect(exitCode, stderr).toBe(0);
    };

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'shardex-shrink-'));
      const design = ['--perturbation-column', 'perturbation', '--control-label', control, '--tests', 'nb-glm'];
      const run = ['de', shared(`data/${dataset}.h5ad`), '--out', folder, '--force', ...design, '--workers', '1'];
      await shardexRuns(...run, '--shrink', 'apeglm');
      counts = await readResults(folder, 'nb_glm', LAYERS);
      await shardexRuns('shrink', folder, '--method', 'stats', '--force');
      statistics = await readResults(folder, 'nb_glm', LAYERS);
    }, 300_000);
    afterAll(() => rm(folder, { recursive: true, force: true }));

    const rowOf = (results: Results, name: string, label: string): Float64Array => {
      const at = results.perturbations.indexOf(label) * results.genes.length;
      return (results.layers.get(name) ?? expect.fail(name)).subarray(at, at + results.genes.length);
    };

    it('leaves the raw columns as they were', () => {
      for (const name of ['X', 'standard_error', 'mean'])
        expect(statistics.layers.get(name)).toEqual(counts.layers.get(name));
    });

    it.each(shown)('agrees for %s where there are many counts', async (label) => {
      const [raw, quick, full, mean] = [
        rowOf(counts, 'X', label),
        rowOf(statistics, 'logfoldchange_shrunk', label),
        rowOf(counts, 'logfoldchange_shrunk', label),
        rowOf(counts, 'mean', label),
      ];
      const cells = await readObsColumn(join(folder, 'nb_glm.h5ad'), 'n_cells');
      const n = cells.kind === 'integer' ? Number(cells.values[counts.perturbations.indexOf(label)]) : NaN;
      const tested = [...raw.keys()].filter((gene) => !Number.isNaN(raw[gene]));
      const agreement = (fewest: number): number => {
        const genes = tested.filter((gene) => mean[gene] * n >= fewest);
        const [ours, theirs] = [quick, full].map((values) => genes.map((gene) => values[gene]));
        const gaps = ours.map((value, i) => Math.abs(value - theirs[i]));
        const r = correlation(ours, theirs);
        process.stdout.write(
          `${label}, ${genes.length} genes with ${fewest} counts or more in the perturbed cells: r of stats and full ` +
            `${r.toFixed(5)}, |Δ| median ${median(gaps).toExponential(1)} max ${Math.max(...gaps).toExponential(1)}\n`,
        );
        return r;
      };
      agreement(0);
      expect(agreement(FEWEST_COUNTS)).toBeGreaterThan(least);
    });
  });
});
