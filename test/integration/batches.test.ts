import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GeneStatus } from '@shardex/shared/stats';
import { ResultTable } from '../support/result-table.js';
import { deRunner, type DeRun } from '../support/de-runner.js';
import { hashes } from '../support/shardex.js';
import { writeSmallH5ad } from '../support/small-h5ad.js';

const GENES = 9;
const NOBODY = 4;
const CELLS = 96;

/** Group and batch of each cell: `a` has cells in every batch, `b` in one without control cells and one with, `c` in the former. */
const cells = Array.from({ length: CELLS }, (_, cell) => {
  const group = ['control', 'a', 'a', 'b', 'control', 'c'][cell % 6];
  const batch = ['first', 'second', 'third'][(cell * cell) % 3];
  if (group === 'c') return { group, batch: 'alone' };
  return { group, batch: group !== 'control' && cell % 12 > 6 ? 'alone' : batch };
});
const counts = cells.map(({ group, batch }, cell) =>
  Array.from({ length: GENES }, (_, gene) => {
    if (gene === NOBODY) return 0;
    const count = (((cell + 3) ** 2 * (gene + 2) ** 3) % 37) % 5;
    return count + (gene === 0 ? 1 : 0) + (batch === 'second' ? gene % 3 : 0) + (group === 'a' && gene > 6 ? 2 : 0);
  }),
);

describe('--batch-column', () => {
  const runDe = deRunner();
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Runs the cells that are chosen, with their batches or all in one. */
  const run = async (
    name: string,
    options: DeRun,
    isIn: (cell: (typeof cells)[number]) => boolean = () => true,
    batchOf = ({ batch }: (typeof cells)[number]): string => batch,
  ): Promise<string> => {
    const input = join(folder, `${name}.h5ad`);
    const labels = cells.map((cell) => (isIn(cell) ? cell.group : null));
    await writeSmallH5ad(input, counts, GENES, { labels, columns: { batch: cells.map(batchOf) } });
    const design = { perturbationColumn: 'perturbation', controlLabel: 'control', tests: ['wilcoxon'] } as const;
    const output = join(folder, name);
    const parameters = { ...design, formats: ['csv'], layers: 'crispyx', ...options.parameters } as const;
    await runDe(input, output, { ...options, parameters });
    return output;
  };
  const table = (output: string): Promise<ResultTable> => ResultTable.read(join(output, 'wilcoxon.csv'));
  const batchColumn = 'batch';

  it.each(['van-elteren', 'unit'] as const)(
    '%s: the same bytes from any number of workers',
    async (batchWeights) => {
      const parameters = { batchColumn, batchWeights, rankPrecision: 'float32' } as const;
      const whole = await run(`${batchWeights}-whole`, { taskNonzeros: 1e9, parameters });
      const cut = await run(`${batchWeights}-cut`, { workers: 3, taskNonzeros: 40, parameters });
      expect(await hashes(cut, ['wilcoxon.csv'])).toEqual(await hashes(whole, ['wilcoxon.csv']));
    },
    60_000,
  );

  it('leaves out batches that lack an arm, and says of a perturbation that has no other', async () => {
    const stratified = await table(await run('all', { parameters: { batchColumn } }));
    expect(stratified.column('c', 'status')).toEqual(Array(GENES).fill(GeneStatus.tooFewCells));
    for (const column of ['effect', 'z_score', 'pvalue', 'u_statistic'])
      expect(stratified.column('c', column)).toEqual(Array(GENES).fill(NaN));
    expect(stratified.column('c', 'pts').every((share, gene) => share > 0 === (gene !== NOBODY))).toBe(true);
    expect(stratified.column('a', 'status')[NOBODY]).toBe(GeneStatus.allZero);
    // Without the batch that has no control cell nothing is said otherwise of those that have cells elsewhere.
    const without = await table(await run('usable', { parameters: { batchColumn } }, ({ batch }) => batch !== 'alone'));
    for (const group of ['a', 'b']) {
      for (const column of ['effect', 'z_score', 'pvalue', 'u_statistic', 'status'])
        expect(stratified.column(group, column), `${group} ${column}`).toEqual(without.column(group, column));
    }
    expect(stratified.column('a', 'pts')).not.toEqual(without.column('a', 'pts'));
  }, 60_000);

  it('with one batch that has both arms is the test without', async () => {
    const one = ({ group }: (typeof cells)[number]): string => (group === 'c' ? 'alone' : 'one');
    const stratified = await table(await run('one', { parameters: { batchColumn } }, undefined, one));
    const plain = await table(await run('none', {}, undefined, one));
    for (const group of ['a', 'b']) {
      for (const column of ['effect', 'z_score', 'u_statistic', 'status']) {
        const expected = plain
          .column(group, column)
          .map((value): unknown => (Number.isNaN(value) ? NaN : expect.closeTo(value, 6)));
        expect(stratified.column(group, column), `${group} ${column}`).toEqual(expected);
      }
    }
  }, 60_000);
});
