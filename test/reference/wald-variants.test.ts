import { readFileSync } from 'node:fs';
import { KernelHeap, loadRows, MeasureAccumulator, type HeapRows } from '@shardex/shared/kernels';
import { chooseNodes, fitPerturbation, freezeControl, studentTwoSided } from '@shardex/shared/stats';
import { expect, it } from 'vitest';
import { describeWithPeers, runPeerScript } from '../support/peers.js';
import { describeWithShared } from '../support/shared-data.js';
import { median } from './agreement.js';
import { readTable } from './csv-table.js';
import { readScreenCells } from './screen-cells.js';

/** Cells with a size factor each, as measures of squares too. */
const accumulate = (
  heap: KernelHeap,
  nGenes: number,
  cells: readonly { readonly genes: readonly number[]; readonly counts: readonly number[] }[],
  sizeFactors: readonly number[],
  nodes: ReturnType<typeof chooseNodes>,
): MeasureAccumulator => {
  const indptr = [0];
  for (const { genes } of cells) indptr.push(indptr[indptr.length - 1] + genes.length);
  const rows: HeapRows = loadRows(heap, {
    indptr,
    indices: cells.flatMap(({ genes }) => genes),
    counts: cells.flatMap(({ counts }) => counts),
  });
  const measures = new MeasureAccumulator(heap, nGenes, nodes, true);
  measures.addRows(rows, sizeFactors);
  return measures;
};

describeWithShared("Wald with Student's t against R DESeq2 with useT", (shared) => {
  // R 4.2.2, DESeq2 1.38.3: test = "Wald", useT = TRUE, minmu = 1e-6; its size factors and dispersions are taken over.
  it.each(['STAT1', 'BRD4', 'CAV1'])('agrees for %s', async (perturbation) => {
    const dataset = 'papalexi_thp1_eccite';
    const { genes, labels, position, rows } = await readScreenCells(shared(`data/${dataset}.h5ad`));
    const base = shared(`reference/${dataset}/r_deseq2_${perturbation}_sc_wald_useT`);
    const table = readTable(`${base}.csv.gz`);
    const [stat, p, degrees, dispersion, baseMean] = [
      'stat',
      'pvalue',
      'tDegreesFreedom',
      'dispersion',
      'baseMean',
    ].map((name) => table.column(name));
    for (const [i, value] of stat.entries()) {
      if (Number.isNaN(p[i])) continue;
      // The tables have 15 digits; a relative error of the statistic grows by its square in the tail.
      expect(Math.abs(studentTwoSided(value, degrees[i]) / p[i] - 1)).toBeLessThan(1e-13 * (10 + value * value));
    }

    const factors = readTable(`${base}_size_factors.csv.gz`);
    const sizeFactor = factors.column('size_factor');
    const chosen = factors.names.map((name) => position.get(name) ?? expect.fail(`no cell ${name}`));
    const nodes = chooseNodes(Math.min(...sizeFactor), Math.max(...sizeFactor));
    const heap = KernelHeap.create();
    const [control, perturbed] = ['NT', perturbation].map((label) => {
      const members = chosen.flatMap((cell, i) => (labels[cell] === label ? [{ cell, s: sizeFactor[i] }] : []));
      return accumulate(
        heap,
        genes.length,
        members.map(({ cell }) => rows[cell]),
        members.map(({ s }) => s),
        nodes,
      );
    });
    const rowOf = new Map(table.names.map((name, row) => [name, row]));
    const row = genes.map((gene) => rowOf.get(gene) ?? expect.fail(`R has no ${gene}`));
    const alpha = row.map((r) => (dispersion[r] >= 0 ? dispersion[r] : 0));
    const frozen = freezeControl(heap, nodes, control, alpha);
    const fit = fitPerturbation(heap, frozen, perturbed, { test: 'wald', waldReference: 't' });
    const compared = genes.flatMap((_, gene) =>
      Number.isNaN(fit.pValue[gene]) || !(baseMean[row[gene]] > 0.05) || Number.isNaN(p[row[gene]]) ? [] : [gene],
    );
    expect(compared.length).toBeGreaterThan(150);
    for (const gene of compared) {
      expect(fit.pValue[gene]).toBe(studentTwoSided(fit.zScore[gene], degrees[row[gene]]));
    }
    // R's search for the coefficients ends at a relative change of the deviance of 1e-8.
    expect(median(compared.map((gene) => Math.abs(fit.zScore[gene] - stat[row[gene]])))).toBeLessThan(1e-3);
  });
});

describeWithPeers('robust standard errors', (python) => {
  it("are statsmodels' HC0", async () => {
    const script = readFileSync(new URL('robust-errors.py', import.meta.url), 'utf8');
    const nCells = 120;
    // Counts by a fixed rule: some overdispersed, some not, one cell far out.
    const sizeFactors = Array.from({ length: nCells }, (_, cell) => Math.exp(0.8 * Math.sin(cell * 2.4)));
    const perturbed = sizeFactors.map((_, cell) => (cell % 3 === 0 ? 1 : 0));
    const counts = [1, 4, 9, 30].map((mean, gene) =>
      sizeFactors.map((s, cell) => {
        const spread = 1 + Math.sin(cell * 7.1 + gene) ** 3;
        return Math.floor(mean * s * spread * (1 + 0.5 * perturbed[cell])) + (cell === 17 ? 20 * mean : 0);
      }),
    );
    const dispersions = [0.3, 0.05, 1, 0.2];
    const task = JSON.stringify({ counts, perturbed, sizeFactors, dispersions });
    const peer = await runPeerScript<{ foldChange: number[]; standardError: number[] }>(python, script, [task]);

    const heap = KernelHeap.create();
    const nodes = chooseNodes(Math.min(...sizeFactors), Math.max(...sizeFactors));
    const [control, own] = [0, 1].map((arm) => {
      const cells = sizeFactors.flatMap((_, cell) => (perturbed[cell] === arm ? [cell] : []));
      const rows = cells.map((cell) => {
        const expressed = counts.flatMap((ofGene, gene) => (ofGene[cell] > 0 ? [gene] : []));
        return { genes: expressed, counts: expressed.map((gene) => counts[gene][cell]) };
      });
      return accumulate(
        heap,
        counts.length,
        rows,
        cells.map((cell) => sizeFactors[cell]),
        nodes,
      );
    });
    const frozen = freezeControl(heap, nodes, control, dispersions, control.squares);
    const fit = fitPerturbation(heap, frozen, own, { test: 'wald', squares: own.squares });
    for (const gene of counts.keys()) {
      // Both are at the maximum to 1e-8, and nodes interpolate to 1e-9.
      expect(Math.abs(fit.log2FoldChange[gene] * Math.LN2 - peer.foldChange[gene])).toBeLessThan(1e-7);
      const robust = (fit.standardErrorRobustLog2?.[gene] ?? NaN) * Math.LN2;
      expect(Math.abs(robust / peer.standardError[gene] - 1)).toBeLessThan(1e-6);
      expect(Math.abs(fit.standardErrorLog2[gene] / (fit.standardErrorRobustLog2?.[gene] ?? NaN) - 1)).toBeGreaterThan(
        0.01,
      );
    }
  });
});
