import { KernelHeap, MeasureAccumulator, loadRows, type GroupMeasures } from '@shardex/shared/kernels';
import {
  CountHistogram,
  chooseNodes,
  fitPerturbation,
  freezeControl,
  GeneStatus,
  type NbResult,
} from '@shardex/shared/stats';
import { expect } from 'vitest';
import { readTable } from './csv-table.js';
import type { ScreenCells } from './screen-cells.js';

/** Genes below have a handful of counts; the tolerances were set, by a prototype, for those above. */
const LEAST_MEAN = 0.01;

/** Our likelihood-ratio test with R's size factors and dispersions, and what it was made from. */
export interface FittedAsR {
  readonly heap: KernelHeap;
  readonly nodes: ReturnType<typeof chooseNodes>;
  /** Of the cells that R had. */
  readonly histogram: CountHistogram;
  readonly controlMeasures: GroupMeasures;
  readonly perturbed: GroupMeasures;
  /** Cells that R had, and the size factor of each. */
  readonly chosen: readonly number[];
  readonly sizeFactor: Float64Array;
  /** R's dispersions; 0 where it has none. */
  readonly alpha: readonly number[];
  readonly result: NbResult;
  /** Genes that both tested, with a base mean above 0.01. */
  readonly tested: readonly number[];
  /** A column of R's table in the order of the screen's genes. */
  readonly ofR: (name: string) => Float64Array;
}

/** @param base - path of R's table without `.csv.gz` */
export const fitAsR = (cells: ScreenCells, base: string, control: string, perturbation: string): FittedAsR => {
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
  const [controlMeasures, perturbed] = [measures(control), measures(perturbation)];

  const rowOf = new Map(table.names.map((name, row) => [name, row]));
  const ofR = (name: string): Float64Array => {
    const values = table.column(name);
    return Float64Array.from(cells.genes, (gene) => values[rowOf.get(gene) ?? -1] ?? NaN);
  };
  const alpha = Array.from(ofR('dispersion'), (value) => (value >= 0 ? value : 0));
  const frozen = freezeControl(heap, nodes, controlMeasures, alpha);
  const result = fitPerturbation(heap, frozen, perturbed, { test: 'lrt' });
  const baseMean = ofR('baseMean');
  const tested = cells.genes.flatMap((_, gene) =>
    result.status[gene] === GeneStatus.tested && baseMean[gene] > LEAST_MEAN ? [gene] : [],
  );
  return { heap, nodes, histogram, controlMeasures, perturbed, chosen, sizeFactor, alpha, result, tested, ofR };
};
