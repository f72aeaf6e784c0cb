import { readFileSync } from 'node:fs';
import {
  KernelHeap,
  MeasureAccumulator,
  loadRows,
  DispersionProfile,
  type GroupMeasures,
} from '@shardex/shared/kernels';
import {
  CountHistogram,
  chooseNodes,
  createDispersionGrid,
  estimateDispersions,
  fitDispersionTrend,
  fitPerturbation,
  freezeControl,
  GeneStatus,
  quantumExponents,
} from '@shardex/shared/stats';
import { beforeAll, expect, it } from 'vitest';
import { describeWithShared } from '../support/shared-data.js';
import { correlation, median } from './agreement.js';
import { readTable } from './csv-table.js';
import { readScreenCells, type ScreenCells } from './screen-cells.js';

/**
 * Tables of R 4.2.2, DESeq2 1.38.3 (`fitType = "glmGamPoi"`, `test = "LRT"`, `minmu = 1e-6`) on the Papalexi screen, one
 * perturbation against the control each, with R's size factors and dispersions taken over.
 */
const DATASET = 'papalexi_thp1_eccite';
const CONTROL = 'NT';
const PERTURBATIONS = ['STAT1', 'BRD4', 'CAV1'] as const;
/** Genes below have a handful of counts; the tolerances were set, by a prototype, for those above. */
const LEAST_MEAN = 0.01;

describeWithShared('the NB test against R DESeq2 with glmGamPoi', (shared) => {
  let cells: ScreenCells;
  beforeAll(async () => {
    cells = await readScreenCells(shared(`data/${DATASET}.h5ad`));
  });

  it.each(PERTURBATIONS)('agrees for %s', (perturbation) => {
    const base = shared(`reference/${DATASET}/r_deseq2_${perturbation}_sc_lrt_glmGamPoi`);
    const table = readTable(`${base}.csv.gz`);
    const factors = readTable(`${base}_size_factors.csv.gz`);
    const sizeFactor = factors.column('size_factor');
    const chosen = factors.names.map((name) => cells.position.get(name) ?? expect.fail(`no cell ${name}`));
    const heap = KernelHeap.create();
    const nodes = chooseNodes(Math.min(...sizeFactor), Math.max(...sizeFactor));
    const histogram = new CountHistogram(cells.genes.length);
    const measures = (label: string): GroupMeasures => {
      const members = chosen.flatMap((cell, i) => (cells.labels[cell] === label ? [{ cell, s: sizeFactor[i] }] : []));
      const indptr = [0];
      for (const { cell } of members) indptr.push(indptr[indptr.length - 1] + cells.rows[cell].genes.length);
      const rows = loadRows(heap, {
        indptr,
        indices: members.flatMap(({ cell }) => cells.rows[cell].genes),
        counts: members.flatMap(({ cell }) => cells.rows[cell].counts),
      });
      const accumulator = new MeasureAccumulator(heap, cells.genes.length, nodes);
      accumulator.addRows(
        rows,
        members.map(({ s }) => s),
      );
      histogram.addRows(rows);
      return accumulator;
    };
    const [controlMeasures, perturbed] = [measures(CONTROL), measures(perturbation)];

    const rowOf = new Map(table.names.map((name, row) => [name, row]));
    const [R, dispersion] = [table.column('stat'), table.column('dispersion')];
    const [lfc, baseMean, genewise] = [
      table.column('log2FoldChange'),
      table.column('baseMean'),
      table.column('dispGeneEst'),
    ];
    const row = cells.genes.map((gene) => rowOf.get(gene) ?? -1);
    const alpha = row.map((r) => (r >= 0 && dispersion[r] >= 0 ? dispersion[r] : 0));
    const control = freezeControl(heap, nodes, controlMeasures, alpha);
    const result = fitPerturbation(heap, control, perturbed, { test: 'lrt' });

    const tested = cells.genes.flatMap((_, gene) =>
      result.status[gene] === GeneStatus.tested && baseMean[row[gene]] > LEAST_MEAN ? [gene] : [],
    );
    expect(tested.length).toBeGreaterThan(200);
    const statistic = tested.map((gene) => result.zScore[gene] ** 2);
    const reference = tested.map((gene) => R[row[gene]]);
    expect(correlation(statistic, reference)).toBeGreaterThan(0.999);
    expect(Math.abs(median(statistic.map((value, i) => value / reference[i])) - 1)).toBeLessThan(0.001);
    expect(median(tested.map((gene) => Math.abs(result.log2FoldChange[gene] - lfc[row[gene]])))).toBeLessThan(0.003);

    // Our own Cox–Reid maxima against glmGamPoi's genewise estimates.
    const grid = createDispersionGrid();
    const totals = controlMeasures.sumCounts.map((total, gene) => total + perturbed.sumCounts[gene]);
    const exponents = quantumExponents(totals, chosen.length);
    const profile = new DispersionProfile(heap, cells.genes.length, nodes.sizeFactors, grid.logAlphas, exponents);
    profile.addGroup(controlMeasures);
    profile.addGroup(perturbed);
    const estimate = estimateDispersions({
      profileSums: profile.sums,
      grid,
      quantumExponents: exponents,
      histogram,
      meanNormalised: row.map((r) => (r >= 0 ? baseMean[r] : 0)),
      totals,
      nCells: chosen.length,
      nGroups: 2,
    });
    const ratios = tested.map((gene) => estimate.genewise[gene] / genewise[row[gene]]);
    process.stdout.write(
      `${perturbation}: ${tested.length} genes, K = ${nodes.count}, LR correlation ${correlation(statistic, reference).toFixed(5)}, ` +
        `median ratio ${median(statistic.map((value, i) => value / reference[i])).toFixed(5)}, dispersion ratio ${median(ratios).toFixed(4)}\n`,
    );
    expect(Math.abs(median(ratios) - 1)).toBeLessThan(0.01);
  });

  it.each(PERTURBATIONS)('fits the same trend as R to the same genewise estimates for %s', (perturbation) => {
    // The tables without glmGamPoi use R's parametric trend; its coefficients are in r_deseq2_meta.txt.
    const meta = readFileSync(shared(`reference/${DATASET}/r_deseq2_meta.txt`), 'utf8');
    const line = meta.split('\n').find((text) => text.startsWith(`"${perturbation}_sc_lrt":`)) ?? '';
    const { asymptDisp, extraPois } = JSON.parse(line.slice(line.indexOf('{'), line.lastIndexOf('}') + 1)) as {
      asymptDisp: number;
      extraPois: number;
    };
    const table = readTable(shared(`reference/${DATASET}/r_deseq2_${perturbation}_sc_lrt.csv.gz`));
    const trend = fitDispersionTrend(table.column('baseMean'), table.column('dispGeneEst'));
    expect(trend.kind).toBe('parametric');
    expect(Math.abs(trend.coefficients[0] / asymptDisp - 1)).toBeLessThan(1e-9);
    expect(Math.abs(trend.coefficients[1] / extraPois - 1)).toBeLessThan(1e-9);
  });
});
