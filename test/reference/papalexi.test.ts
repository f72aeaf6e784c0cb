import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { shardex } from '../support/shardex.js';
import { describeWithPeers, describeWithShared } from '../support/shared-data.js';
import { readResults, type Results } from './calibration-truth.mjs';
import { readScanpyTable, type ScanpyRow } from './screen-file.js';

const DATASET = 'papalexi_thp1_eccite';
const FILES = ['nb_glm', 'wilcoxon', 't_test'] as const;

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

/** |ours − scanpy's| of every row of scanpy's table: the score, and log10 of the p-value where that is no 0. */
const differences = (table: readonly ScanpyRow[], results: Results): { score: number[]; log10P: number[] } => {
  const rowOf = new Map(results.perturbations.map((label, row) => [label, row]));
  const geneOf = new Map(results.genes.map((gene, column) => [gene, column]));
  const at = ({ group, gene }: ScanpyRow): number =>
    (rowOf.get(group) ?? NaN) * results.genes.length + (geneOf.get(gene) ?? NaN);
  const of = (layer: string, row: ScanpyRow): number => results.layers.get(layer)?.[at(row)] ?? NaN;
  return {
    score: table.map((row) => Math.abs(of('z_score', row) - row.score)),
    log10P: table
      .filter(({ pValue }) => pValue > 1e-300)
      .map((row) => Math.abs(of('log10_pvalue', row) - Math.log10(row.pValue))),
  };
};

/** A layer's row of one perturbation. */
const readAt = ({ perturbations, genes, layers }: Results, layer: string, perturbation: string): Float64Array => {
  const begin = perturbations.indexOf(perturbation) * genes.length;
  return layers.get(layer)?.subarray(begin, begin + genes.length) ?? expect.fail(`${layer} was not read`);
};

const largest = (values: readonly number[]): number =>
  values.reduce((most, value) => (value <= most ? most : value), 0);

describeWithShared('shardex de on the Papalexi screen', (shared) => {
  let folder: string;
  let results: Record<(typeof FILES)[number], Results>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-papalexi-'));
    const design = ['--perturbation-column', 'perturbation', '--control-label', 'NT'];
    const options = ['--out', folder, '--force', '--workers', '2', '--scanpy', '--quiet'];
    const { exitCode, stderr } = await shardex(['de', shared(`data/${DATASET}.h5ad`), ...design, ...options]);
    expect(exitCode, stderr).toBe(0);
    const read = (file: string) => readResults(folder, file, ['z_score', 'log10_pvalue', 'pvalue_adj']);
    results = { nb_glm: await read('nb_glm'), wilcoxon: await read('wilcoxon'), t_test: await read('t_test') };
  }, 120_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const tableOf = (test: string): Promise<ScanpyRow[]> => readScanpyTable(shared(`reference/${DATASET}`), test, '');

  it("gives scanpy's t-tests within 1e-5, of which float32 squares explain the rest", async () => {
    const table = await tableOf('t-test');
    const { score, log10P } = differences(table, results.t_test);
    expect(score.length).toBe(25 * 299);
    expect(largest(score)).toBeLessThan(1e-5);
    expect(largest(log10P)).toBeLessThan(1e-4);
  });

  it("gives scanpy's rank-sum scores, but for ties that float32 breaks at random", async () => {
    const { score, log10P } = differences(await tableOf('wilcoxon'), results.wilcoxon);
    expect(score.length).toBe(25 * 299);
    expect(largest(score)).toBeLessThan(0.01);
    expect(median(score)).toBeLessThan(1e-9);
    expect(median(log10P)).toBeLessThan(1e-6);
  });

  it('tests every gene and sees the knock-out of STAT1 in itself and in what it drives', () => {
    const { nb_glm: nb } = results;
    expect(nb.perturbations.length).toBe(25);
    expect(nb.layers.get('z_score')?.every(Number.isFinite)).toBe(true);
    const q = readAt(nb, 'pvalue_adj', 'STAT1');
    const strongest = nb.genes.filter((_, gene) => q[gene] < 1e-60);
    expect([...strongest].sort()).toEqual(['JAK2', 'PSMB9', 'STAT1', 'UBE2L6']);
  });

  describeWithPeers('opened by anndata and scanpy', (python) => {
    it('has the shapes, layers and ranked genes that they expect', async () => {
      const script = fileURLToPath(new URL('papalexi-open.py', import.meta.url));
      const { stdout } = await promisify(execFile)(python, [script, folder], {
        env: { ...process.env, PYTHONWARNINGS: 'ignore', NUMBA_NUM_THREADS: '1' },
      });
      const said = JSON.parse(stdout) as Record<string, { shape: number[]; layers: string[]; ranked: number[] }>;
      for (const file of FILES) {
        expect(said[file].shape).toEqual([25, 299]);
        expect(said[file].layers).toContain('pvalue_adj_global');
        // Rows of the table, and the largest difference between its scores and the layer.
        expect(said[file].ranked[0]).toBe(299);
        expect(said[file].ranked[1]).toBe(0);
      }
      await expect(readFile(join(folder, 'run.json'), 'utf8')).resolves.toContain('"shardex"');
      // Importing scanpy takes 5 s of processor time, and far longer on a busy machine.
    }, 300_000);
  });
});
