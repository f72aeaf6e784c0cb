import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeParameters } from '@shardex/shared/config';
import { GeneStatus } from '@shardex/shared/stats';
import { deRunner, type DeRun } from '../support/de-runner.js';
import { ResultTable } from '../support/result-table.js';
import { hashes, simulatedScreen } from '../support/shardex.js';
import { writeSmallH5ad } from '../support/small-h5ad.js';

const FILES = ['nb_glm', 'wilcoxon', 't_test'] as const;

const GROUPS = ['control', 'a', 'b', 'c'] as const;
const SIZES = [13, 9, 17, 8];
const GENES = 12;
/** Genes that only cells of `a` express, that only others do, and that nobody does. */
const [ONLY_A, NEVER_A, NOBODY] = [1, 2, 3];

const labels = GROUPS.flatMap((group, i) => Array<string>(SIZES[i]).fill(group));
const counts = labels.map((label, cell) =>
  Array.from({ length: GENES }, (_, gene) => {
    const count = (((cell + 2) ** 2 * (gene + 3) ** 3) % 31) % 6;
    const isSilent = (gene === ONLY_A && label !== 'a') || (gene === NEVER_A && label === 'a') || gene === NOBODY;
    return isSilent ? 0 : count + (gene === 0 ? 2 : 0) + (label === 'b' && gene > 8 ? 3 : 0);
  }),
);

/** What a comparison says of every gene, by column; what describes the file as a whole is left out. */
const COLUMNS = {
  nb_glm: ['effect', 'standard_error', 'z_score', 'pvalue', 'log10_pvalue', 'pvalue_adj', 'pts', 'mean'],
  wilcoxon: ['effect', 'z_score', 'pvalue', 'log10_pvalue', 'pvalue_adj', 'logfoldchanges', 'pts', 'u_statistic'],
  t_test: ['effect', 'z_score', 'degrees_of_freedom', 'pvalue', 'log10_pvalue', 'logfoldchanges', 'pts'],
} as const;

describe('--reference', () => {
  const runDe = deRunner();
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const run = async (input: string, name: string, run: DeRun): Promise<string> => {
    const output = join(folder, name);
    await runDe(input, output, run);
    return output;
  };

  describe('on a few cells', () => {
    /** Runs cells under new labels and reads the tables of the three tests. */
    const tablesOf = async (
      name: string,
      named: readonly (string | null)[],
      parameters: Partial<DeParameters>,
    ): Promise<Readonly<Record<(typeof FILES)[number], ResultTable>>> => {
      const input = join(folder, `${name}.h5ad`);
      await writeSmallH5ad(input, counts, GENES, { labels: named });
      const common = {
        formats: ['csv'],
        layers: 'crispyx',
        dispersion: 0.3,
        perturbationColumn: 'perturbation',
      } as const;
      const output = await run(input, name, { parameters: { ...common, ...parameters }, taskNonzeros: 60 });
      const read = (file: (typeof FILES)[number]) => ResultTable.read(join(output, `${file}.csv`));
      return { nb_glm: await read('nb_glm'), wilcoxon: await read('wilcoxon'), t_test: await read('t_test') };
    };

    it.each([
      { reference: 'rest', tested: ['control', 'a', 'b', 'c'], compared: ['control', 'a', 'b'], nbTest: 'lrt' },
      { reference: 'other-perturbed', tested: ['a', 'b', 'c'], compared: ['a', 'b'], nbTest: 'wald' },
    ] as const)(
      '$reference compares with the same cells as a control of that name would',
      async ({ reference, tested, compared, nbTest }) => {
        const parameters = { controlLabel: 'control', nbTest } as const;
        const pooled = await tablesOf(reference, labels, { ...parameters, reference });
        expect(pooled.wilcoxon.perturbations).toEqual(tested);
        const takesPart = (label: string): boolean => (tested as readonly string[]).includes(label);
        for (const group of compared) {
          // The group's cells, and all that take part under one label of their own: summed afresh, not by subtraction.
          const named = labels.map((label) => (label === group ? group : takesPart(label) ? 'others' : null));
          const direct = await tablesOf(`${reference}-${group}`, named, { ...parameters, controlLabel: 'others' });
          for (const file of FILES) {
            const [status, sameStatus] = [pooled[file], direct[file]].map((table) => table.column(group, 'status'));
            expect(status, `${file} ${group}`).toEqual(sameStatus);
            for (const column of COLUMNS[file]) {
              const [ours, expected] = [pooled[file], direct[file]].map((table) => table.column(group, column));
              expect(expected.some(Number.isFinite), column).toBe(true);
              // Sums of the pool less those of the group are rounded otherwise than sums of the rest: 1e-15 of the pool's.
              ours.forEach((value, gene) => {
                const [difference, scale] = [
                  Math.abs(value - expected[gene]),
                  Math.max(1e-3, Math.abs(expected[gene])),
                ];
                const isSame = Object.is(value, expected[gene]) || difference < 1e-6 * scale;
                expect(isSame, `${file} ${group} ${column} ${gene}: ${value}, not ${expected[gene]}`).toBe(true);
              });
            }
          }
          const rest = counts.filter((_, cell) => named[cell] === 'others');
          const shares = Array.from(
            { length: GENES },
            (_, gene) => rest.filter((row) => row[gene] > 0).length / rest.length,
          );
          expect(pooled.t_test.column(group, 'pts_rest')).toEqual(shares.map((share) => expect.closeTo(share, 6)));
          const normalised = (row: readonly number[], gene: number): number =>
            (1e4 * row[gene]) / row.reduce((sum, count) => sum + count, 0);
          const means = shares.map(
            (_, gene) => rest.reduce((sum, row) => sum + normalised(row, gene), 0) / rest.length,
          );
          expect(pooled.wilcoxon.column(group, 'reference_mean')).toEqual(means.map((mean) => expect.closeTo(mean, 2)));
        }
        expect(pooled.nb_glm.column('a', 'status')[ONLY_A]).toBe(GeneStatus.emptyControlArm);
        expect(pooled.nb_glm.column('a', 'status')[NEVER_A]).toBe(GeneStatus.emptyPerturbedArm);
        for (const file of FILES) expect(pooled[file].column('a', 'status')[NOBODY]).toBe(GeneStatus.allZero);
      },
      60_000,
    );

    it('other-perturbed is refused where there are no others', async () => {
      const input = join(folder, 'alone.h5ad');
      await writeSmallH5ad(input, counts, GENES, { labels: labels.map((label) => (label === 'a' ? 'a' : 'control')) });
      const parameters = { controlLabel: 'control', reference: 'other-perturbed' } as const;
      const refused = runDe(input, join(folder, 'alone'), { parameters });
      await expect(refused).rejects.toThrow('it has no others to compare with');
    });
  });

  describe.each([
    ['rest', { reference: 'rest' }],
    ['other-perturbed', { reference: 'other-perturbed', minCellsPerPerturbation: 60 }],
  ] as const)('%s', (name, options) => {
    it('gives the same bytes for any number of workers and tasks', async () => {
      const input = name === 'rest' ? await simulatedScreen(folder) : join(folder, 'screen.h5ad');
      const parameters = { ...options, layers: 'crispyx', scanpy: true, shrink: 'apeglm' } as const;
      const files = FILES.map((file) => `${file}.h5ad`);
      const whole = await run(input, `${name}-whole`, { taskNonzeros: 1e9, parameters });
      const cut = await run(input, `${name}-cut`, { workers: 3, taskNonzeros: 7_000, parameters });
      expect(await hashes(cut, files)).toEqual(await hashes(whole, files));
    }, 60_000);
  });
});
