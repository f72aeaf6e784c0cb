import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scanpyKey } from '@shardex/shared/kernels';
import { CRISPYX_LOW_EXPRESSION, geneFilterStatus, GeneStatus, type StratumWeights } from '@shardex/shared/stats';
import { runPeerScript } from '../support/peers.js';
import { describeWithPeers, describeWithShared } from '../support/shared-data.js';
import {
  armExpressions,
  readCrispyxLayers,
  restScreen,
  stratifiedScreen,
  tTestScreen,
  type CellMatrix,
} from './rank-variants-screen.js';
import { readScanpyTable, readScreenFile, type ScreenFile } from './screen-file.js';
import { rankSumScreen } from './screen-tests.js';

const DATASETS = [
  { name: 'papalexi_thp1_eccite', column: 'perturbation', control: 'NT', batch: 'bio_rep', onlyGroup: '' },
  { name: 'datlinger_jurkat_scifi', column: 'perturbation', control: 'control', batch: 'tcr', onlyGroup: '' },
  { name: 'ifnb_pbmc_kang', column: 'condition', control: 'ctrl', batch: '', onlyGroup: 'stim' },
] as const;

/** What the script prints. */
interface Said {
  readonly groups: readonly string[];
  readonly labels: readonly string[];
  /** Share of the logarithms that are not correctly rounded: numpy's here, and numpy's without AVX-512. */
  readonly notRounded: { readonly scanpy: number; readonly other: number };
}

const matrixOf = (screen: ScreenFile, values: Float64Array, labels = screen.labels): CellMatrix => ({
  ...screen,
  nGenes: screen.genes.length,
  labels,
  values,
});

const eachNonzero = (screen: ScreenFile, key: (count: number, total: number) => number): Float64Array => {
  const values = new Float64Array(screen.counts.length);
  for (let row = 0; row + 1 < screen.indptr.length; row++) {
    const own = screen.counts.subarray(screen.indptr[row], screen.indptr[row + 1]);
    const total = own.reduce((sum, count) => sum + count, 0);
    values.set(
      own.map((count) => key(count, total)),
      screen.indptr[row],
    );
  }
  return values;
};

const largestDifference = (actual: ArrayLike<number>, expected: ArrayLike<number>): number => {
  expect(actual.length).toBe(expected.length);
  let largest = 0;
  for (let i = 0; i < actual.length; i++) largest = Math.max(largest, Math.abs(actual[i] - expected[i]));
  return largest;
};

const shareAbove = (bound: number, a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a, (value, i) => Math.abs(value - b[i])).filter((difference) => difference > bound).length / a.length;

describeWithShared('variants of the tests on real screens', (path) => {
  describe.each(DATASETS)('without Python: $name', (dataset) => {
    it("gives scanpy's t-tests with overestimated variance, but for its float32 logarithms and squares", async () => {
      const screen = await readScreenFile(path(`data/${dataset.name}.h5ad`), dataset.column);
      const table = await readScanpyTable(path(`reference/${dataset.name}`), 't-test_overestim_var', dataset.onlyGroup);
      const matrix = matrixOf(
        screen,
        eachNonzero(screen, (count, total) => Math.log1p((1e4 * count) / total)),
      );
      const groups = [...new Set(table.map(({ group }) => group))];
      const results = tTestScreen(matrix, dataset.control, groups);
      const geneOf = new Map(screen.genes.map((gene, i) => [gene, i]));
      for (const row of table) {
        const test = results.get(row.group)?.[geneOf.get(row.gene) ?? -1];
        if (test === undefined) return expect.fail(`no result for ${row.group} ${row.gene}`);
        expect(Math.abs(test.t - row.score)).toBeLessThan(1e-6 * Math.max(1, Math.abs(test.t)));
        if (row.pValue === 0) expect(test.log10PValue).toBeLessThan(-307);
        else expect(Math.abs(test.log10PValue - Math.log10(row.pValue))).toBeLessThan(1e-5);
      }
    });
  });

  describeWithPeers('given what peers say', (python) => {
    describe.each(DATASETS)('$name', (dataset) => {
      let folder: string;
      let said: Said;
      let screen: ScreenFile;
      const read = async (part: string): Promise<ArrayBuffer> =>
        new Uint8Array(await readFile(join(folder, `${dataset.name}.${part}`))).buffer;
      const doubles = async (part: string): Promise<Float64Array> => new Float64Array(await read(part));
      const floats = async (part: string): Promise<Float64Array> =>
        Float64Array.from(new Float32Array(await read(part)));

      beforeAll(async () => {
        folder = await mkdtemp(join(tmpdir(), 'shardex-variants-'));
        const script = await readFile(fileURLToPath(new URL('rank-variants.py', import.meta.url)), 'utf8');
        const source = path(`data/${dataset.name}.h5ad`);
        const { name, column, control, batch } = dataset;
        const options = [folder, name, source, column, control, ...(batch === '' ? [] : [batch])];
        said = await runPeerScript<Said>(python, script, options);
        screen = await readScreenFile(source, column);
        // Importing scanpy takes 5 s of processor time, and ranking everything as long; both far longer on a busy machine.
      }, 300_000);
      afterAll(() => rm(folder, { recursive: true }));

      it('one-versus-rest z equal those of scanpy, with and without tie correction', async () => {
        const matrix = matrixOf(screen, await floats('scanpy'));
        for (const [part, tieCorrect] of [
          ['rest', true],
          ['rest_untied', false],
        ] as const) {
          const { z } = restScreen(matrix, said.labels, { tieCorrect, continuity: false });
          // Adding ranks and subtracting their mean costs scanpy digits; whoever is one block of ties is 0 in both.
          expect(largestDifference(z, await doubles(part)), part).toBeLessThan(1e-8);
        }
      });

      it("without the control's cells they are those of every perturbation against all others", async () => {
        const { z } = restScreen(matrixOf(screen, await floats('scanpy')), said.groups, {
          tieCorrect: true,
          continuity: false,
        });
        if (said.groups.length > 1) expect(largestDifference(z, await doubles('others'))).toBeLessThan(1e-8);
        // One group alone has nothing to be compared with.
        else expect(z.every((score) => Number.isNaN(score) || score === 0)).toBe(true);
      });

      it("float32 keys are the correctly rounded logarithms of scanpy's quotients, bit for bit", async () => {
        expect(largestDifference(eachNonzero(screen, scanpyKey), await floats('rounded'))).toBe(0);
      });

      it('with float32 keys z differ from scanpy no more than scanpy itself does between processors', async () => {
        const zOf = (values: Float64Array): number[] =>
          [...rankSumScreen(matrixOf(screen, values), dataset.control, said.groups).values()].flatMap(({ tests }) =>
            tests.map(({ z }) => z),
          );
        const scanpy = zOf(await floats('scanpy'));
        const other = zOf(await floats('other'));
        const rounded = zOf(eachNonzero(screen, scanpyKey));
        const exact = zOf(eachNonzero(screen, (count, total) => count / total));
        const figures = { other, rounded, exact };
        for (const [what, z] of Object.entries(figures)) {
          process.stderr.write(
            `${dataset.name}: ${what} against scanpy here: max |Δz| ${largestDifference(z, scanpy).toExponential(1)}, ` +
              `${(100 * shareAbove(1e-5, z, scanpy)).toFixed(2)}% above 1e-5\n`,
          );
        }
        expect(largestDifference(rounded, scanpy)).toBeLessThan(said.notRounded.scanpy === 0 ? 1e-9 : 3e-3);
        expect(largestDifference(rounded, other)).toBeLessThan(said.notRounded.other === 0 ? 1e-9 : 3e-3);
      });

      // The third data set has no batches.
      if (dataset.batch === '') return;
      describe('stratified', () => {
        const strataOf = async (): Promise<Uint32Array> => new Uint32Array(await read('strata'));

        it.each([
          ['van-elteren', 'elteren'],
          ['unit', 'unit'],
        ] as const)('%s z equal direct ranks within strata', async (weights: StratumWeights, part) => {
          const matrix = matrixOf(screen, await floats('crispyx'));
          const tests = stratifiedScreen(matrix, dataset.control, said.groups, await strataOf(), {
            weights,
            tieCorrect: true,
          });
          const z = tests.flatMap((own) => own.map((test) => test.z));
          expect(largestDifference(z, await doubles(part))).toBeLessThan(1e-9);
        });

        it('by unit weights equal crispyx, and so do its filter and its untested genes', async () => {
          const matrix = matrixOf(screen, await floats('crispyx'));
          const file = path(`reference/${dataset.name}/crispyx_wilcoxon_batch_${dataset.batch}.h5ad`);
          const crispyx = await readCrispyxLayers(file, ['z_score', 'u_statistic', 'pvalue', 'X']);
          expect(crispyx.groups).toEqual(said.groups);
          expect(crispyx.genes).toEqual(screen.genes);
          const tests = stratifiedScreen(matrix, dataset.control, said.groups, await strataOf(), {
            weights: 'unit',
            tieCorrect: true,
          }).flat();
          const arms = armExpressions(matrix, [dataset.control, ...said.groups]);
          const low = new Uint8Array(await read('low'));
          const largest = { z: 0, auc: 0, p: 0 };
          tests.forEach((test, i) => {
            const gene = i % screen.genes.length;
            const perturbed = arms[1 + Math.floor(i / screen.genes.length)][gene];
            const filter = geneFilterStatus(perturbed, arms[0][gene], { lowExpression: CRISPYX_LOW_EXPRESSION });
            expect(filter).toBe(low[i] === 1 ? GeneStatus.filteredLowExpression : GeneStatus.tested);
            const isTested = filter === GeneStatus.tested && test.status === GeneStatus.tested;
            expect(Number.isNaN(crispyx.layers['z_score'][i])).toBe(!isTested);
            if (!isTested) return;
            expect(test.u).toBe(crispyx.layers['u_statistic'][i]);
            largest.z = Math.max(largest.z, Math.abs(test.z - crispyx.layers['z_score'][i]));
            largest.auc = Math.max(largest.auc, Math.abs(test.auc - crispyx.layers['X'][i]));
            largest.p = Math.max(largest.p, Math.abs(Math.log(test.pValue / crispyx.layers['pvalue'][i])));
          });
          expect(largest.z).toBeLessThan(1e-9);
          expect(largest.auc).toBeLessThan(1e-9);
          expect(largest.p).toBeLessThan(1e-8);
        });
      });
    });
  });
});
