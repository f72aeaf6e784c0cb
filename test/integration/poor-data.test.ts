import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GeneStatus } from '@shardex/shared/stats';
import { ResultTable } from '../support/result-table.js';
import { shardex } from '../support/shardex.js';
import { writeSmallH5ad, type Matrix, type SmallH5ad } from '../support/small-h5ad.js';

const TESTS = ['nb_glm', 'wilcoxon', 't_test'] as const;
type Tables = Readonly<Record<'nbGlm' | 'wilcoxon' | 'tTest', ResultTable>>;

interface Outcome {
  readonly stderr: string;
  readonly warnings: readonly string[];
  readonly tables: Tables;
  readonly texts: readonly string[];
}

/** log1p of counts per 10,000, as the rank and t-tests see a matrix of counts. */
function normalised(counts: Matrix): number[][] {
  const total = (row: readonly number[]): number => row.reduce((sum, count) => sum + count, 0);
  return counts.map((row) => row.map((count) => Math.log1p((1e4 * count) / total(row))));
}

/** Share of pairs in which the perturbed cell is above the control cell, ties counting one half. */
function auc(perturbed: readonly number[], control: readonly number[]): number {
  const pairs = perturbed.flatMap((p) => control.map((c): number => (p > c ? 1 : p === c ? 0.5 : 0)));
  return pairs.reduce((sum, pair) => sum + pair, 0) / pairs.length;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Counts without pattern, from 0 to 6, and at least one in every cell. */
const scattered = (cells: number, genes: number): number[][] =>
  Array.from({ length: cells }, (_, cell) =>
    Array.from({ length: genes }, (_, gene) => (gene === 0 ? 3 : 0) + ((((cell + 2) ** 2 * (gene + 3) ** 3) % 31) % 7)),
  );

describe('what is merely poor data goes on', () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'shardex-test-'));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  const run = async (counts: Matrix, how: SmallH5ad, ...options: string[]): Promise<Outcome> => {
    const folder = await mkdtemp(join(root, 'case-'));
    const [input, output] = [join(folder, 'in.h5ad'), join(folder, 'out')];
    await writeSmallH5ad(input, counts, counts[0].length, how);
    const design = ['--perturbation-column', 'perturbation', '--control-label', 'control', '--workers', '1'];
    const { exitCode, stderr } = await shardex([
      'de',
      input,
      '--out',
      output,
      ...design,
      '--format',
      'csv',
      ...options,
    ]);
    expect(exitCode, stderr).toBe(0);
    const record = JSON.parse(await readFile(join(output, 'run.json'), 'utf8')) as { warnings: string[] };
    const paths = TESTS.map((test) => join(output, `${test}.csv`));
    const [nbGlm, wilcoxon, tTest] = await Promise.all(paths.map((path) => ResultTable.read(path)));
    const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8')));
    // Whatever the record warns of was also said aloud.
    for (const warning of record.warnings) expect(stderr).toContain(warning);
    return { stderr, warnings: record.warnings, tables: { nbGlm, wilcoxon, tTest }, texts };
  };

  it.concurrent('with odd groups, genes and cells, each with its warning and status', async () => {
    const odd = 'ünï, "cødé"';
    const labels = [...Array<string>(14).fill('control'), ...Array<string>(8).fill('a'), ...Array<string>(8).fill(odd)];
    const counts = scattered(34, 9);
    const [silent, onlyControl, onlyPerturbed] = [6, 7, 8];
    counts.forEach((row, cell) => {
      row[silent] = 0;
      if (cell >= 14) row[onlyControl] = 0;
      if (cell < 14) row[onlyPerturbed] = 0;
    });
    // 30: the only cell of its perturbation; 31: without a label; 32: without a count; 33: ordinary.
    counts[32] = counts[32].map(() => 0);
    const genes = ['one', 'two', 'two', 'three', 'four', 'five', 'silent', 'only control', 'only perturbed'];
    const { warnings, tables } = await run(counts, { labels: [...labels, 'single', null, 'a', odd], genes });

    expect(warnings).toEqual(
      expect.arrayContaining([
        "1 genes repeat a name used before (first: two); their rows keep the file's order",
        '1 cells have no label in "perturbation" and are left out',
        '1 cells without a single count were left out',
        '1 groups have one cell only (single): no t-test for them',
      ]),
    );
    for (const table of Object.values(tables)) {
      expect(table.perturbations).toEqual(['a', odd, 'single']);
      expect(table.genes(odd)).toEqual(genes);
    }
    const { nbGlm, wilcoxon, tTest } = tables;
    for (const table of [nbGlm, wilcoxon]) {
      const status = table.column('a', 'status');
      expect(status.slice(0, 6)).toEqual(Array(6).fill(GeneStatus.tested));
      expect(status[silent]).toBe(GeneStatus.allZero);
      expect(table.column('a', 'pvalue')[silent]).toBeNaN();
    }
    expect(nbGlm.column('a', 'status').slice(onlyControl)).toEqual([
      GeneStatus.emptyPerturbedArm,
      GeneStatus.emptyControlArm,
    ]);
    for (const gene of [onlyControl, onlyPerturbed]) {
      expect(nbGlm.column('a', 'pvalue')[gene]).toBeGreaterThan(0);
      expect(nbGlm.column('a', 'pvalue')[gene]).toBeLessThan(1e-4);
      expect(Math.sign(nbGlm.column('a', 'effect')[gene])).toBe(gene === onlyControl ? -1 : 1);
    }
    // One cell has a rank and a likelihood, but no variance.
    expect(wilcoxon.column('single', 'pvalue')[0]).toBeGreaterThan(0);
    expect(nbGlm.column('single', 'pvalue')[0]).toBeGreaterThan(0);
    expect(tTest.column('single', 'status')).toEqual(genes.map(() => GeneStatus.tooFewCells));
    expect(tTest.column('single', 'pvalue')).toEqual(genes.map(() => NaN));

    // Ranks and means against their definitions.
    const values = normalised(counts);
    for (const gene of genes.keys()) {
      const of = (begin: number, end: number): number[] => values.slice(begin, end).map((row) => row[gene]);
      const [control, perturbed] = [of(0, 14), of(14, 22)];
      if (gene !== silent) expect(wilcoxon.column('a', 'effect')[gene]).toBeCloseTo(auc(perturbed, control), 6);
      expect(tTest.column('a', 'effect')[gene] || 0).toBeCloseTo(mean(perturbed) - mean(control), 4);
    }
  });

  it.concurrent('with perturbations and genes that the filters empty', async () => {
    const labels = Array.from({ length: 30 }, (_, cell) =>
      cell < 14 ? 'control' : cell < 24 ? 'a' : cell < 28 ? 'sparse' : 'few',
    );
    const counts = scattered(30, 8).map((row, cell) => {
      if (labels[cell] === 'sparse') return row.map((_, gene) => (gene === 0 ? 4 : 0));
      return row.map((count, gene) => (gene === 7 ? (cell === 0 ? 2 : 0) : count + 1));
    });
    const filters = ['--min-genes', '3', '--min-cells-per-perturbation', '3', '--min-cells-per-gene', '2'];
    const { warnings, tables } = await run(counts, { labels }, ...filters);
    expect(warnings).toEqual(
      expect.arrayContaining([
        '4 cells with fewer than 3 genes were left out',
        '2 perturbations with fewer than 3 cells were left out (sparse, few)',
        '1 genes expressed in fewer than 2 cells are not tested',
      ]),
    );
    for (const table of Object.values(tables)) {
      expect(table.perturbations).toEqual(['a']);
      expect(table.column('a', 'status')[7]).toBe(GeneStatus.filteredLowCells);
      expect(table.column('a', 'pvalue')[7]).toBeNaN();
      expect(table.column('a', 'pvalue')[1]).toBeGreaterThan(0);
    }
  });

  it.concurrent('with one cell in every group, the control included', async () => {
    const labels = ['control', ...Array.from({ length: 11 }, (_, i) => `p${i}`)];
    const { warnings, tables } = await run(scattered(12, 5), { labels });
    expect(warnings.some((warning) => warning.startsWith('12 groups have one cell only'))).toBe(true);
    expect(tables.wilcoxon.column('p0', 'pvalue')[0]).toBeGreaterThan(0.3);
    expect(tables.nbGlm.perturbations).toHaveLength(11);
    expect(tables.tTest.column('p3', 'status')[0]).toBe(GeneStatus.tooFewCells);
  });

  it.concurrent('with one gene and cells that are all alike', async () => {
    const { warnings, tables } = await run(Array<number[]>(12).fill([3]), {});
    expect(warnings.some((warning) => warning.startsWith('no gene varies more than Poisson noise'))).toBe(true);
    expect(tables.nbGlm.column('a', 'effect')[0]).toBeCloseTo(0, 6);
    expect(tables.nbGlm.column('a', 'pvalue')[0]).toBeCloseTo(1, 6);
    expect(tables.wilcoxon.column('a', 'effect')).toEqual([0.5]);
    expect(tables.tTest.column('a', 'status')).toEqual([GeneStatus.zeroVariance]);
  });

  it.concurrent('and however the same counts are stored, the results are the same', async () => {
    const counts = scattered(24, 7);
    const other = counts.map((row) => row.map((count) => count + 1));
    const { texts } = await run(counts, {});
    const stored: readonly (readonly [SmallH5ad, ...string[]])[] = [
      [{ storage: 'csc', dtype: 'float64' }],
      [{ storage: 'dense', dtype: 'int32' }],
      [{ dtype: 'uint16', matrices: { 'layers/raw counts': counts } }, '--layer', 'raw counts'],
      [{ matrices: { 'raw/X': counts } }, '--layer', 'raw/X'],
    ];
    for (const [how, ...options] of stored) {
      const x = how.matrices === undefined ? counts : other;
      expect((await run(x, how, ...options)).texts, JSON.stringify(options)).toEqual(texts);
    }
  });
});
