import { readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { benjaminiHochberg } from '@shardex/shared/stats';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runPeerScript } from '../support/peers.js';
import { shardex } from '../support/shardex.js';
import { describeWithPeers, describeWithShared } from '../support/shared-data.js';
import { readTable } from './csv-table.js';

const DATASET = 'papalexi_thp1_eccite';

/** What the script prints, a row a peer: largest relative differences of adjusted p-values. */
interface Row {
  readonly tests: number;
  readonly 'within a perturbation': number;
  readonly 'over the screen': number;
}

describeWithShared('adjusted p-values', (shared) => {
  it('are those of R in every table of DESeq2', () => {
    const folder = shared(`reference/${DATASET}`);
    const tables = readdirSync(folder).filter((file) => /^r_deseq2_.*(?<!size_factors)\.csv\.gz$/.test(file));
    let tests = 0;
    for (const file of tables) {
      const table = readTable(join(folder, file));
      const [pValue, adjusted] = [table.column('pvalue'), table.column('padj')];
      // Genes that R's filter left out have no adjusted p-value and are no part of the family.
      const family = pValue.map((p, gene) => (Number.isNaN(adjusted[gene]) ? NaN : p));
      const ours = new Float64Array(family.length);
      benjaminiHochberg(family, ours);
      for (const [gene, q] of adjusted.entries()) {
        if (Number.isNaN(q)) continue;
        tests++;
        // Tables have 15 digits.
        expect(Math.abs(ours[gene] - q), `${file} ${gene}`).toBeLessThanOrEqual(1e-14 * q);
      }
    }
    expect(tests).toBeGreaterThan(3000);
  });

  describeWithPeers('beside scipy and statsmodels', (python) => {
    let folder: string;
    let script: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'shardex-adjustment-'));
      script = await readFile(new URL('validation/adjusted.py', import.meta.url), 'utf8');
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    it.each([
      { method: 'bh', peers: 2 },
      { method: 'bonferroni', peers: 1 },
    ])('are the same for $method, within a perturbation and over the screen', async ({ method, peers }) => {
      const out = join(folder, method);
      const design = ['--perturbation-column', 'perturbation', '--control-label', 'NT'];
      const run = ['de', shared(`data/${DATASET}.h5ad`), '--out', out, ...design, '--correction', method, '--quiet'];
      const { exitCode, stderr } = await shardex(run);
      expect(exitCode, stderr).toBe(0);
      const rows = await runPeerScript<Row[]>(python, script, [out, method, 'Papalexi']);
      expect(rows.length).toBe(peers);
      for (const row of rows) {
        expect(row.tests).toBe(3 * 25 * 299);
        // statsmodels divides by the rank's share where we multiply: 2 ulp.
        expect(row['within a perturbation']).toBeLessThan(5e-16);
        expect(row['over the screen']).toBeLessThan(5e-16);
      }
    });
  });
});
