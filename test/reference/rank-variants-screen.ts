import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { File, ready } from 'h5wasm/node';
import {
  KernelHeap,
  rankSumAgainstControl,
  rankSumAgainstRest,
  sortColumns,
  sortGroupedColumns,
  tieTerms,
  type RankSumOptions,
  type RankSums,
} from '@shardex/shared/kernels';
import {
  StratifiedRankSums,
  welchOverestimatedFromSums,
  type ArmExpression,
  type StratifiedRankSumOptions,
  type StratifiedRankSumTest,
  type WelchTest,
} from '@shardex/shared/stats';
import type { LabelledMatrix } from './screen-tests.js';

export type CellMatrix = LabelledMatrix;

const rowsOf = (matrix: CellMatrix, isIn: (row: number) => boolean): number[] =>
  matrix.labels.flatMap((_label, row) => (isIn(row) ? [row] : []));

const columnsOf = (matrix: CellMatrix, rows: readonly number[]): number[][] => {
  const columns: number[][] = Array.from({ length: matrix.nGenes }, () => []);
  for (const row of rows) {
    for (let i = matrix.indptr[row]; i < matrix.indptr[row + 1]; i++) columns[matrix.indices[i]].push(matrix.values[i]);
  }
  return columns;
};

const offsetsOf = (columns: readonly (readonly unknown[])[]): Uint32Array => {
  const offsets = new Uint32Array(columns.length + 1);
  columns.forEach((column, i) => (offsets[i + 1] = offsets[i] + column.length));
  return offsets;
};

/** Every group against all other cells that belong to one of the groups: z and U, [group][gene]. */
export const restScreen = (
  matrix: CellMatrix,
  groups: readonly string[],
  options: RankSumOptions,
): { z: Float64Array; u: Float64Array } => {
  const heap = KernelHeap.create();
  const groupOf = new Map(groups.map((group, i) => [group, i]));
  const columns: { key: number; group: number }[][] = Array.from({ length: matrix.nGenes }, () => []);
  const sizes = groups.map(() => 0);
  matrix.labels.forEach((label, row) => {
    const group = groupOf.get(label);
    if (group === undefined) return;
    sizes[group]++;
    for (let i = matrix.indptr[row]; i < matrix.indptr[row + 1]; i++) {
      columns[matrix.indices[i]].push({ key: matrix.values[i], group });
    }
  });
  const flat = columns.flat();
  const grouped = {
    keys: heap.copyF64(flat.map(({ key }) => key)),
    groups: heap.copyU32(flat.map(({ group }) => group)),
    offsets: heap.copyU32(offsetsOf(columns)),
  };
  sortGroupedColumns(heap, grouped);
  return rankSumAgainstRest(heap, grouped, sizes, options);
};

/** Every group against the control within each stratum, the strata then added up: [group][gene]. */
export const stratifiedScreen = (
  matrix: CellMatrix,
  control: string,
  groups: readonly string[],
  strata: Uint32Array,
  options: StratifiedRankSumOptions,
): StratifiedRankSumTest[][] => {
  const heap = KernelHeap.create();
  const sums = new StratifiedRankSums(groups.length, matrix.nGenes, options);
  const nExpressing = new Uint32Array(groups.length * matrix.nGenes);
  for (const stratum of new Set([...strata].sort((a, b) => a - b))) {
    const rows = (label: string): number[] =>
      rowsOf(matrix, (row) => matrix.labels[row] === label && strata[row] === stratum);
    const controlRows = rows(control);
    const groupRows = groups.map(rows);
    const controlColumns = columnsOf(matrix, controlRows);
    const groupColumns = groupRows.flatMap((own) => columnsOf(matrix, own));
    heap.scoped(() => {
      const keys = heap.copyF64(controlColumns.flat());
      const offsets = heap.copyU32(offsetsOf(controlColumns));
      const ties = heap.f64(matrix.nGenes);
      sortColumns(heap, keys, offsets);
      tieTerms(heap, keys, offsets, ties);
      const groupKeys = {
        keys: heap.copyF64(groupColumns.flat()),
        offsets: heap.copyU32(offsetsOf(groupColumns)),
        sizes: groupRows.map((own) => own.length),
      };
      const sorted = { keys, offsets, ties, nCells: controlRows.length };
      const ranked: RankSums = rankSumAgainstControl(heap, sorted, groupKeys, { tieCorrect: true, continuity: false });
      const otherSizes = groups.map(() => controlRows.length);
      sums.add({ sums: ranked, groupSizes: groupKeys.sizes, otherSizes });
    });
    if (controlRows.length === 0) continue;
    groupColumns.forEach((column, i) => {
      if (groupRows[Math.floor(i / matrix.nGenes)].length === 0) return;
      nExpressing[i] += column.length + controlColumns[i % matrix.nGenes].length;
    });
  }
  return groups.map((_label, group) =>
    Array.from({ length: matrix.nGenes }, (_, gene) =>
      sums.test(group, gene, nExpressing[group * matrix.nGenes + gene]),
    ),
  );
};

/** What the gene filters look at, [label][gene]; means over all cells, on the scale of the matrix. */
export const armExpressions = (matrix: CellMatrix, labels: readonly string[]): ArmExpression[][] =>
  labels.map((label) => {
    const rows = rowsOf(matrix, (row) => matrix.labels[row] === label);
    return columnsOf(matrix, rows).map((column) => {
      const sum = column.reduce((total, x) => total + x, 0);
      return { cells: rows.length, nExpressing: column.length, mean: sum / rows.length, sumCounts: sum };
    });
  });

/** scanpy's t-test with overestimated variance of every group against the control, gene by gene. */
export const tTestScreen = (
  matrix: CellMatrix,
  control: string,
  groups: readonly string[],
): Map<string, WelchTest[]> => {
  const sumsOf = (label: string): { sum: number; sumSquares: number; n: number }[] => {
    const rows = rowsOf(matrix, (row) => matrix.labels[row] === label);
    return columnsOf(matrix, rows).map((column) => ({
      sum: column.reduce((total, x) => total + x, 0),
      sumSquares: column.reduce((total, x) => total + x * x, 0),
      n: rows.length,
    }));
  };
  const frozen = sumsOf(control);
  return new Map(
    groups.map((group) => [group, sumsOf(group).map((arm, gene) => welchOverestimatedFromSums(arm, frozen[gene]))]),
  );
};

/** Dense layers of one of crispyx's result files, [group][gene]; `X` names the main matrix. */
export const readCrispyxLayers = async <Layer extends string>(
  path: string,
  names: readonly Layer[],
): Promise<{ groups: string[]; genes: string[]; layers: Record<Layer, Float64Array> }> => {
  const { FS } = await ready;
  const name = basename(path);
  FS.writeFile(name, await readFile(path));
  const file = new File(name, 'r');
  try {
    const valueOf = (dataset: string): ArrayLike<number | string> =>
      (file.get(dataset) as unknown as { value: ArrayLike<number | string> }).value;
    const indexOf = (frame: string): string[] => {
      const { attrs } = file.get(frame) as unknown as { attrs: Record<string, { value: string }> };
      return Array.from(valueOf(`${frame}/${attrs['_index'].value}`), String);
    };
    const layers = Object.fromEntries(
      names.map((layer) => [layer, Float64Array.from(valueOf(layer === 'X' ? 'X' : `layers/${layer}`), Number)]),
    ) as Record<Layer, Float64Array>;
    return { groups: indexOf('obs'), genes: indexOf('var'), layers };
  } finally {
    file.close();
    FS.unlink(name);
  }
};
