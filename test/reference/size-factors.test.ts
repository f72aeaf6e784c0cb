import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { LogCountSums, logReferenceProfile, MedianOfRatios } from '@shardex/shared/stats';
import { expect, it } from 'vitest';
import { readSizeFactors } from '../support/cells-table.js';
import { runPeerScript } from '../support/peers.js';
import { describeWithPeers, describeWithShared } from '../support/shared-data.js';
import { shardex, withFolder } from '../support/shardex.js';
import { writeSmallH5ad } from '../support/small-h5ad.js';
import { readScreenFile } from './screen-file.js';

/** Runs `de` with one cheap test and reads the size factors it used. */
const sizeFactorsOf = (path: string, control: string, options: readonly string[]): Promise<Map<string, number>> =>
  withFolder(async (folder) => {
    const design = ['--perturbation-column', 'perturbation', '--control-label', control, '--tests', 't-test'];
    const { exitCode, stderr } = await shardex(['de', path, '--out', folder, ...design, ...options, '--quiet']);
    expect(exitCode, stderr).toBe(0);
    return readSizeFactors(folder);
  });

/** A CSV or TSV table whose first column names the rows. */
const readTable = async (path: string): Promise<{ columns: string[]; rows: { name: string; values: number[] }[] }> => {
  const bytes = await readFile(path);
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').replaceAll('"', '');
  const [header, ...lines] = text.trim().split('\n');
  const separator = header.includes('\t') ? '\t' : ',';
  const rows = lines.map((line) => line.split(separator));
  return {
    columns: header.split(separator).slice(1),
    rows: rows.map(([name, ...values]) => ({ name, values: values.map(Number) })),
  };
};

const columnOf = async (path: string, column: string): Promise<Map<string, number>> => {
  const { columns, rows } = await readTable(path);
  return new Map(rows.map(({ name, values }) => [name, values[columns.indexOf(column)]]));
};

/** Largest |ours / theirs − 1| over the cells of the reference, all of which must be there. */
const largestDifference = (ours: ReadonlyMap<string, number>, theirs: ReadonlyMap<string, number>): number => {
  expect(ours.size).toBe(theirs.size);
  return [...theirs].reduce((most, [cell, factor]) => {
    const difference = Math.abs((ours.get(cell) ?? NaN) / factor - 1);
    return difference <= most ? most : difference;
  }, 0);
};

/** Single cells, control and one perturbation: R 4.2.2 with DESeq2 1.38.3, type = "poscounts". */
const COMPARISONS = [
  { dataset: 'papalexi_thp1_eccite', control: 'NT', perturbation: 'STAT1' },
  { dataset: 'datlinger_jurkat_scifi', control: 'control', perturbation: 'LCK' },
] as const;

/** Tables of counts with R's size factors: PyDESeq2's own test data, and the pasilla flies. */
const REPOSITORY = 'reference/pydeseq2_repo';
const SINGLE = { counts: `${REPOSITORY}/datasets/synthetic/test_counts.csv`, method: 'ratio', column: 'x' } as const;
const BULK = [
  { ...SINGLE, factors: `${REPOSITORY}/tests/data/single_factor/r_test_size_factors.csv` },
  {
    ...SINGLE,
    factors: `${REPOSITORY}/tests/data/single_factor/r_test_size_factors_poscount.csv`,
    method: 'poscounts',
    column: 'sizeFactor',
  },
  {
    ...SINGLE,
    counts: `${REPOSITORY}/tests/data/wide/test_counts.csv`,
    factors: `${REPOSITORY}/tests/data/wide/r_test_size_factors.csv`,
  },
  ...(['ratio', 'poscounts'] as const).map((method) => ({
    counts: 'data/pasilla_gene_counts.tsv',
    factors: 'reference/pasilla_condition/size_factors.csv',
    method,
    column: method,
  })),
];

describeWithShared('size factors', (shared) => {
  it.each(COMPARISONS)("poscounts are R DESeq2's on $dataset, $perturbation", async (comparison) => {
    const { dataset, control, perturbation } = comparison;
    const options = ['--perturbations', perturbation, '--size-factors', 'poscounts', '--workers', '1'];
    const ours = await sizeFactorsOf(shared(`data/${dataset}.h5ad`), control, options);
    const file = `reference/${dataset}/r_deseq2_${perturbation}_sc_lrt_size_factors.csv.gz`;
    expect(largestDifference(ours, await columnOf(shared(file), 'size_factor'))).toBeLessThan(1e-9);
  });

  it.each(COMPARISONS)(
    "poscounts are PyDESeq2's on $dataset, $perturbation, without the genes it leaves out",
    async (c) => {
      // PyDESeq2 drops genes that no cell counts more than once: it takes a mean logarithm of 0 for "no count".
      const screen = await readScreenFile(shared(`data/${c.dataset}.h5ad`), 'perturbation');
      const cells = screen.labels.flatMap((label, cell) =>
        label === c.control || label === c.perturbation ? [cell] : [],
      );
      const { indptr, indices, counts } = screen;
      const geneCells = new Uint32Array(screen.genes.length);
      const sums = new LogCountSums(cells.length, new Float64Array(screen.genes.length));
      for (const cell of cells) {
        sums.add(indices, counts, indptr[cell], indptr[cell + 1]);
        for (let i = indptr[cell]; i < indptr[cell + 1]; i++) geneCells[indices[i]]++;
      }
      const profile = logReferenceProfile('poscounts', sums, geneCells, cells.length);
      const ratios = new MedianOfRatios(
        'poscounts',
        profile.map((log) => (log > 0 ? log : NaN)),
      );
      const ours = cells.map((cell) => ratios.of(indices, counts, indptr[cell], indptr[cell + 1]));
      const scale = Math.exp(ours.reduce((sum, factor) => sum + Math.log(factor), 0) / ours.length);
      const file = `reference/${c.dataset}/pydeseq2_${c.perturbation}_poscounts_size_factors.csv.gz`;
      const theirs = [...(await columnOf(shared(file), 'size_factor')).values()];
      expect(theirs.length).toBe(ours.length);
      for (const [i, factor] of theirs.entries()) expect(Math.abs(ours[i] / scale / factor - 1)).toBeLessThan(1e-9);
    },
  );

  it.each(BULK)("$method on their own scale are R's, $factors", async ({ counts, factors, method, column }) => {
    const { columns: samples, rows: genes } = await readTable(shared(counts));
    const theirs = await columnOf(shared(factors), column);
    await withFolder(async (folder) => {
      const path = join(folder, 'counts.h5ad');
      const matrix = samples.map((_, sample) => genes.map(({ values }) => values[sample]));
      await writeSmallH5ad(path, matrix, genes.length, { chunkLength: 10_000 });
      const options = ['--size-factors', method, '--no-scale-size-factors', '--workers', '1'];
      const ours = await sizeFactorsOf(path, 'control', options);
      const named = new Map([...ours.values()].map((factor, sample) => [samples[sample], factor]));
      expect(largestDifference(named, theirs)).toBeLessThan(1e-9);
    });
  });

  it('by ratio are refused where no gene is expressed in all cells, with what to do instead', async () => {
    await withFolder(async (folder) => {
      const design = ['--perturbation-column', 'perturbation', '--control-label', 'NT', '--size-factors', 'ratio'];
      const path = shared('data/papalexi_thp1_eccite.h5ad');
      const { exitCode, stderr } = await shardex(['de', path, '--out', join(folder, 'out'), ...design, '--quiet']);
      expect(exitCode).toBe(2);
      expect(stderr).toMatch(/--size-factors ratio needs a gene that is expressed in all cells/);
      expect(stderr).toMatch(/choose --size-factors total, poscounts or sparse/);
    });
  });

  describeWithPeers('of crispyx', (python) => {
    it.each([
      { dataset: 'papalexi_thp1_eccite', control: 'NT' },
      { dataset: 'datlinger_jurkat_scifi', control: 'control' },
    ])(
      'are those of "sparse" on $dataset, scaled and not',
      async ({ dataset, control }) => {
        const path = shared(`data/${dataset}.h5ad`);
        const script = await readFile(fileURLToPath(new URL('size-factors.py', import.meta.url)), 'utf8');
        const theirs = await runPeerScript<{ scaled: number[]; own: number[] }>(python, script, [path]);
        const scaled = await sizeFactorsOf(path, control, ['--size-factors', 'sparse']);
        const own = await sizeFactorsOf(path, control, ['--size-factors', 'sparse', '--no-scale-size-factors']);
        const named = (values: readonly number[]) => new Map([...scaled.keys()].map((cell, i) => [cell, values[i]]));
        expect(theirs.own.length).toBe(own.size);
        // crispyx takes logarithms in float32: its own distance from the definition in float64 is 2e-8, ours 3e-11.
        expect(largestDifference(scaled, named(theirs.scaled))).toBeLessThan(1e-7);
        expect(largestDifference(own, named(theirs.own))).toBeLessThan(1e-7);
      },
      300_000,
    );
  });
});
