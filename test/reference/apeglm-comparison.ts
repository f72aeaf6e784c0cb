import { KernelHeap, MeasureAccumulator, loadRows, type GroupMeasures } from '@shardex/shared/kernels';
import {
  chooseNodes,
  estimatePriorScale,
  fitPerturbation,
  freezeControl,
  shrinkPerturbation,
  type ShrunkResult,
} from '@shardex/shared/stats';
import { expect } from 'vitest';
import { readTable, type Table } from './csv-table.js';
import type { ScreenCells } from './screen-cells.js';

/** Counts of all genes in one group of cells: counts[gene][cell]. */
export interface Group {
  readonly counts: readonly Float64Array[];
  readonly sizeFactors: Float64Array;
}

const measuresOf = (heap: KernelHeap, group: Group, nodes: ReturnType<typeof chooseNodes>): GroupMeasures => {
  const [indptr, indices, counts] = [[0], [] as number[], [] as number[]];
  for (let cell = 0; cell < group.sizeFactors.length; cell++) {
    for (let gene = 0; gene < group.counts.length; gene++) {
      if (group.counts[gene][cell] === 0) continue;
      indices.push(gene);
      counts.push(group.counts[gene][cell]);
    }
    indptr.push(indices.length);
  }
  const accumulator = new MeasureAccumulator(heap, group.counts.length, nodes);
  accumulator.addRows(loadRows(heap, { indptr, indices, counts }), group.sizeFactors);
  return accumulator;
};

/** apeGLM's maxima of all genes, from measures of the two groups: the control and the perturbation. */
export const shrink = (groups: readonly [Group, Group], alpha: ArrayLike<number>, scale: number): ShrunkResult => {
  const heap = KernelHeap.create();
  const all = groups.flatMap((group) => [...group.sizeFactors]);
  const nodes = chooseNodes(Math.min(...all), Math.max(...all), 1e-12);
  const [controlMeasures, perturbed] = groups.map((group) => measuresOf(heap, group, nodes));
  const control = freezeControl(heap, nodes, controlMeasures, alpha);
  return shrinkPerturbation(
    heap,
    control,
    perturbed,
    fitPerturbation(heap, control, perturbed, { test: 'lrt' }),
    scale,
  );
};

const groupOf = (screen: ScreenCells, factors: Table, label: string): Group => {
  const s = factors.column('size_factor');
  const members = factors.names.flatMap((name, i) => {
    const cell = screen.position.get(name) ?? expect.fail(`no cell ${name}`);
    return screen.labels[cell] === label ? [{ cell, s: s[i] }] : [];
  });
  const counts = screen.genes.map(() => new Float64Array(members.length));
  for (const [i, { cell }] of members.entries()) {
    const { genes, counts: values } = screen.rows[cell];
    for (const [k, gene] of genes.entries()) counts[gene][i] = values[k];
  }
  return { counts, sizeFactors: Float64Array.from(members, (member) => member.s) };
};

/** Our shrinkage with a peer's size factors, dispersions and maximum-likelihood estimates, beside the peer's. */
export interface ShrunkAsPeer {
  readonly groups: readonly [Group, Group];
  readonly alpha: readonly number[];
  readonly scale: number;
  readonly shrunk: ShrunkResult;
  /** Genes that the peer shrunk. */
  readonly genes: readonly number[];
  /** The peer's, at each gene of the screen; log2. */
  readonly peerLog2FoldChange: Float64Array;
  readonly peerStandardError: Float64Array;
}

/**
 * @param base - path of the peer's table without `.csv.gz`
 * @param isR - a table of DESeq2; else one of PyDESeq2
 */
export const shrinkAsPeer = (
  screen: ScreenCells,
  base: string,
  control: string,
  perturbation: string,
  isR: boolean,
): ShrunkAsPeer => {
  const table = readTable(`${base}.csv.gz`);
  const factors = readTable(`${base}_size_factors.csv.gz`);
  const groups = [groupOf(screen, factors, control), groupOf(screen, factors, perturbation)] as const;
  const rowOf = new Map(table.names.map((name, row) => [name, row]));
  const inOrder = (name: string): Float64Array => {
    const values = table.column(name);
    return Float64Array.from(screen.genes, (gene) => values[rowOf.get(gene) ?? -1] ?? NaN);
  };
  const alpha = Array.from(inOrder(isR ? 'dispersion' : 'dispersions'), (value) => (value >= 0 ? value : 1));
  const scale = estimatePriorScale(table.column('log2FoldChange'), table.column('lfcSE'));
  const peerLog2FoldChange = inOrder('lfc_apeglm');
  return {
    groups,
    alpha,
    scale,
    shrunk: shrink(groups, alpha, scale),
    genes: screen.genes.flatMap((_, gene) => (Number.isFinite(peerLog2FoldChange[gene]) ? [gene] : [])),
    peerLog2FoldChange,
    peerStandardError: inOrder('lfcSE_apeglm'),
  };
};
