import { columnLabels, readH5adMetadata } from '@shardex/shared/h5ad';
import { KernelHeap, loadRows, MeasureAccumulator } from '@shardex/shared/kernels';
import { chooseNodes, fitStrata, GeneStatus, strataDesign, type StratumMeasures } from '@shardex/shared/stats';
import { beforeAll, expect, it } from 'vitest';
import { describeWithShared } from '../support/shared-data.js';
import { correlation, median } from './agreement.js';
import { readTable } from './csv-table.js';
import { largestLogLikelihood } from './direct-likelihood.js';
import { readScreenCells, type ScreenCells } from './screen-cells.js';

/**
 * Tables of R 4.2.2, DESeq2 1.38.3 (`test = "LRT"`, `minmu = 1e-6`, `~ tcr + condition` against `~ tcr`) on the Datlinger
 * screen, with R's size factors and dispersions taken over; and the likelihood itself, summed over cells.
 */
const DATASET = 'datlinger_jurkat_scifi';
const LEAST_MEAN = 0.01;

interface Cell {
  readonly row: number;
  readonly s: number;
  readonly perturbed: boolean;
  readonly level: number;
}

/** 2 (ℓ_full − ℓ_null) over cells: given β the levels separate, and the profile of β is concave. */
function directStatistic(
  cells: readonly Cell[],
  counts: readonly number[],
  alpha: number,
): { lr: number; beta: number } {
  const levels = [...new Set(cells.map(({ level }) => level))];
  const profile = (beta: number): number =>
    levels.reduce((sum, wanted) => {
      const own = cells.flatMap(({ level }, i) => (level === wanted ? [i] : []));
      const offset = own.map((i) => cells[i].s * (cells[i].perturbed ? Math.exp(beta) : 1));
      const ofLevel = { counts: own.map((i) => counts[i]), sizeFactors: offset };
      const extra = own.reduce((s, i) => s + (cells[i].perturbed ? counts[i] * beta : 0), 0);
      return sum + largestLogLikelihood(ofLevel, alpha).logLikelihood + extra;
    }, 0);
  let [low, high] = [-12, 12];
  const golden = (Math.sqrt(5) - 1) / 2;
  while (high - low > 1e-5) {
    const [a, b] = [high - golden * (high - low), low + golden * (high - low)];
    if (profile(a) < profile(b)) low = a;
    else high = b;
  }
  const beta = (low + high) / 2;
  return { lr: 2 * (profile(beta) - profile(0)), beta };
}

describeWithShared('the NB test with a covariate against R DESeq2 and sums over cells', (shared) => {
  let screen: ScreenCells;
  let tcr: Int32Array;
  beforeAll(async () => {
    const path = shared(`data/${DATASET}.h5ad`);
    screen = await readScreenCells(path);
    tcr = columnLabels((await readH5adMetadata(path, { obsColumns: ['tcr'] })).columns[0]).codes;
  });

  it.each(['LCK', 'ZAP70'])(
    'agrees for %s',
    (perturbation) => {
      const base = shared(`reference/${DATASET}/r_deseq2_${perturbation}_sc_lrt_cov_tcr`);
      const table = readTable(`${base}.csv.gz`);
      const factors = readTable(`${base}_size_factors.csv.gz`);
      const sizeFactor = factors.column('size_factor');
      const cells = factors.names.map((name, i): Cell => {
        const row = screen.position.get(name) ?? expect.fail(`no cell ${name}`);
        return { row, s: sizeFactor[i], perturbed: screen.labels[row] === perturbation, level: tcr[row] };
      });
      const heap = KernelHeap.create();
      const nodes = chooseNodes(Math.min(...sizeFactor), Math.max(...sizeFactor));
      const measures = (perturbed: boolean, level: number): StratumMeasures | null => {
        const members = cells.filter((cell) => cell.perturbed === perturbed && cell.level === level);
        if (members.length === 0) return null;
        const indptr = [0];
        for (const { row } of members) indptr.push(indptr[indptr.length - 1] + screen.rows[row].genes.length);
        const rows = loadRows(heap, {
          indptr,
          indices: members.flatMap(({ row }) => screen.rows[row].genes),
          counts: members.flatMap(({ row }) => screen.rows[row].counts),
        });
        const accumulator = new MeasureAccumulator(heap, screen.genes.length, nodes);
        accumulator.addRows(
          rows,
          members.map(({ s }) => s),
        );
        return accumulator;
      };
      const arms = { control: [0, 1].map((l) => measures(false, l)), perturbed: [0, 1].map((l) => measures(true, l)) };
      const cellsOf = (arm: keyof typeof arms): number[] => arms[arm].map((one) => one?.nCells ?? 0);
      const design = strataDesign([[0], [1]], cellsOf('control'), cellsOf('perturbed'));

      const rowOf = new Map(table.names.map((name, row) => [name, row]));
      const [stat, lfc, dispersion, baseMean] = ['stat', 'log2FoldChange', 'dispersion', 'baseMean'].map(table.column);
      const row = screen.genes.map((gene) => rowOf.get(gene) ?? -1);
      const alpha = row.map((r) => (r >= 0 && dispersion[r] >= 0 ? dispersion[r] : 0));
      const result = fitStrata(design, arms, nodes.sizeFactors, alpha, { test: 'lrt' });

      const tested = screen.genes.flatMap((_, gene) =>
        result.status[gene] === GeneStatus.tested && baseMean[row[gene]] > LEAST_MEAN ? [gene] : [],
      );
      expect(tested.length).toBeGreaterThan(200);
      const statistic = tested.map((gene) => result.zScore[gene] ** 2);
      const ofR = tested.map((gene) => stat[row[gene]]);
      const fold = tested.map((gene) => Math.abs(result.log2FoldChange[gene] - lfc[row[gene]]));
      // R stops when its deviance changes by less than 1e-8 of itself.
      expect(correlation(statistic, ofR)).toBeGreaterThan(0.99999999);
      expect(Math.abs(median(statistic.map((value, i) => value / ofR[i])) - 1)).toBeLessThan(2e-6);
      expect(median(fold)).toBeLessThan(0.002);

      const countsOf = cells.map((cell) => {
        const { genes, counts } = screen.rows[cell.row];
        return new Map(genes.map((gene, k) => [gene, counts[k]]));
      });
      // Some of the genes: the search over cells takes its time.
      for (const gene of tested.filter((_, i) => i % 12 === 0)) {
        const counts = countsOf.map((of) => of.get(gene) ?? 0);
        const { lr, beta } = directStatistic(cells, counts, alpha[gene]);
        expect(Math.abs(lr - result.zScore[gene] ** 2)).toBeLessThan(1e-8);
        // The search ends within 1e-5 of β, where the profile is flat.
        expect(Math.abs(beta / Math.LN2 - result.log2FoldChange[gene])).toBeLessThan(2e-5);
      }
    },
    300_000,
  );
});
