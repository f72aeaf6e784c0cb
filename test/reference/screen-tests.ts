import { KernelHeap, MomentAccumulator, rankSumAgainstControl, sortColumns, tieTerms } from '@shardex/shared/kernels';
import {
  benjaminiHochberg,
  logFoldChange,
  rankSumTest,
  welchFromSums,
  type RankSumTest,
  type WelchTest,
} from '@shardex/shared/stats';

/** Cells × genes in compressed rows, and which arm each cell belongs to. */
export interface LabelledMatrix {
  readonly nGenes: number;
  readonly labels: readonly string[];
  readonly indptr: Uint32Array;
  readonly indices: Uint32Array;
  /** Positive: log expression for the t-test; anything that orders the cells as it does for the rank sums. */
  readonly values: Float64Array;
}

/** One test's results for one group, gene by gene. */
export interface GroupResult<Test> {
  readonly tests: readonly Test[];
  readonly adjusted: Float64Array;
  readonly expressing: Float64Array;
}

const rowsOf = (labels: readonly string[], label: string): number[] =>
  labels.flatMap((own, row) => (own === label ? [row] : []));

const nonzerosByGene = (matrix: LabelledMatrix, rows: readonly number[]): number[][] => {
  const columns: number[][] = Array.from({ length: matrix.nGenes }, () => []);
  for (const row of rows) {
    for (let i = matrix.indptr[row]; i < matrix.indptr[row + 1]; i++) columns[matrix.indices[i]].push(matrix.values[i]);
  }
  return columns;
};

const offsetsOf = (columns: readonly (readonly number[])[]): Uint32Array => {
  const offsets = new Uint32Array(columns.length + 1);
  columns.forEach((column, i) => (offsets[i + 1] = offsets[i] + column.length));
  return offsets;
};

const adjust = (tests: readonly { readonly pValue: number }[]): Float64Array => {
  const p = Float64Array.from(tests, (test) => test.pValue);
  benjaminiHochberg(p, p);
  return p;
};

/** The rank-sum test of every group against the control, all groups in one call of the kernel. */
export const rankSumScreen = (
  matrix: LabelledMatrix,
  control: string,
  groups: readonly string[],
): Map<string, GroupResult<RankSumTest>> => {
  const heap = KernelHeap.create();
  const controlRows = rowsOf(matrix.labels, control);
  const controlColumns = nonzerosByGene(matrix, controlRows);
  const keys = heap.copyF64(controlColumns.flat());
  const offsets = heap.copyU32(offsetsOf(controlColumns));
  const ties = heap.f64(matrix.nGenes);
  sortColumns(heap, keys, offsets);
  tieTerms(heap, keys, offsets, ties);
  const rows = groups.map((group) => rowsOf(matrix.labels, group));
  const columns = rows.flatMap((own) => nonzerosByGene(matrix, own));
  const sums = rankSumAgainstControl(
    heap,
    { keys, offsets, ties, nCells: controlRows.length },
    {
      keys: heap.copyF64(columns.flat()),
      offsets: heap.copyU32(offsetsOf(columns)),
      sizes: rows.map((own) => own.length),
    },
    { tieCorrect: true, continuity: false },
  );
  return new Map(
    groups.map((group, g) => {
      const n = rows[g].length;
      const own = columns.slice(g * matrix.nGenes, (g + 1) * matrix.nGenes);
      const tests = own.map((column, gene) =>
        rankSumTest(sums, g * matrix.nGenes + gene, n, controlRows.length, column.length + controlColumns[gene].length),
      );
      return [group, { tests, adjusted: adjust(tests), expressing: Float64Array.from(own, (c) => c.length / n) }];
    }),
  );
};

/**
 * Welch's test and scanpy's log fold change (of expm1 of the mean logs) of every group against the control.
 *
 * @param square - what the variances are summed from; by default the kernel's own float64 squares
 */
export const welchScreen = (
  matrix: LabelledMatrix,
  control: string,
  groups: readonly string[],
  square?: (x: number) => number,
): Map<string, GroupResult<WelchTest & { readonly logFoldChange: number }>> => {
  const heap = KernelHeap.create();
  const momentsOf = (label: string): { n: number; sums: Float64Array; nExpressing: Uint32Array } => {
    const rows = rowsOf(matrix.labels, label);
    const accumulator = new MomentAccumulator(heap, matrix.nGenes);
    for (const row of rows) {
      const [begin, end] = [matrix.indptr[row], matrix.indptr[row + 1]];
      heap.scoped(() =>
        accumulator.addRealRows({
          nRows: 1,
          indptr: heap.copyU32([0, end - begin]),
          indices: heap.copyU32(matrix.indices.subarray(begin, end)),
          values: heap.copyF64(matrix.values.subarray(begin, end)),
        }),
      );
    }
    if (square !== undefined) {
      nonzerosByGene(matrix, rows).forEach((column, gene) => {
        accumulator.sums[4 * gene + 1] = column.reduce((sum, x) => sum + square(x), 0);
      });
    }
    return { n: rows.length, sums: accumulator.sums, nExpressing: accumulator.nExpressing };
  };
  const armOf = ({ n, sums }: { n: number; sums: Float64Array }, gene: number) => ({
    sum: sums[4 * gene],
    sumSquares: sums[4 * gene + 1],
    n,
  });
  const frozen = momentsOf(control);
  return new Map(
    groups.map((group) => {
      const moments = momentsOf(group);
      const tests = Array.from({ length: matrix.nGenes }, (_, gene) => {
        const [a, b] = [armOf(moments, gene), armOf(frozen, gene)];
        return {
          ...welchFromSums(a, b),
          logFoldChange: logFoldChange(Math.expm1(a.sum / a.n), Math.expm1(b.sum / b.n)),
        };
      });
      return [
        group,
        { tests, adjusted: adjust(tests), expressing: Float64Array.from(moments.nExpressing, (k) => k / moments.n) },
      ];
    }),
  );
};
