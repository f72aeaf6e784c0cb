import type { ComparisonTrend, ConvergenceSummary, FitSummary } from '@shardex/shared/artifacts';
import type { Shrinkage } from '../../domain/index.js';
import { readShrinkage } from './read-shrinkage.js';
import { withArtifact, type ReductionScope } from './scratch.js';

/** The fit outputs of a job, in order, and where each one's rows go. */
export interface FitOutputs {
  /** Rows in order, at most `BLOCK_PAIRS` (perturbation, gene) at a time. */
  readonly blocks: readonly FitBlock[];
  /** Group of each result row. */
  readonly groups: readonly number[];
  /** Cells of each result row's group. */
  readonly cells: readonly number[];
  /** Fits of the NB-GLM that did not converge; rows are those of the results. */
  readonly notConverged: ConvergenceSummary;
  /** How many genes of all perturbations have each status, by its code, for every test. */
  readonly statuses: Readonly<Record<string, readonly number[]>>;
  /** Of each result row; null unless comparisons have dispersions of their own. */
  readonly trends: readonly ComparisonTrend[] | null;
  /** How fold changes were shrunk; null when they were not. */
  readonly shrinkage: Shrinkage | null;
}

/** A block is held whole in memory, with all its layers: about 50 bytes each. */
const BLOCK_PAIRS = 1 << 19;

export interface FitBlock {
  /** The fit output that holds them. */
  readonly name: string;
  /** The shrink output of the same rows; null when nothing was shrunk. */
  readonly shrunkName: string | null;
  /** Rows of the results this block holds: [rowBegin, rowEnd). */
  readonly rowBegin: number;
  readonly rowEnd: number;
  /** Row of the output, counted from its own first, that is rowBegin. */
  readonly outputRow: number;
}

/** Reads the headers of all fit outputs. */
export async function readFits(scope: ReductionScope): Promise<FitOutputs> {
  const blocks: FitBlock[] = [];
  const groups: number[] = [];
  const cells: number[] = [];
  const first: (readonly [row: number, gene: number])[] = [];
  const statuses: Record<string, number[]> = {};
  const trends: ComparisonTrend[] = [];
  const rowsAtATime = Math.max(1, Math.floor(BLOCK_PAIRS / scope.context.nGenes));
  let count = 0;
  for (const [i, name] of (scope.outputs['fit'] ?? []).entries()) {
    const shrunkName = scope.outputs['shrink']?.[i] ?? null;
    await withArtifact<FitSummary, void>(scope.store, name, (reader) => {
      const rowBegin = groups.length;
      const rows = reader.meta.groups.length;
      for (let outputRow = 0; outputRow < rows; outputRow += rowsAtATime) {
        const end = Math.min(rows, outputRow + rowsAtATime);
        blocks.push({ name, shrunkName, rowBegin: rowBegin + outputRow, rowEnd: rowBegin + end, outputRow });
      }
      groups.push(...reader.meta.groups);
      cells.push(...reader.meta.cells);
      count += reader.meta.notConverged.count;
      for (const [row, gene] of reader.meta.notConverged.first) first.push([rowBegin + row, gene]);
      for (const [test, counts] of Object.entries(reader.meta.statuses)) {
        statuses[test] = counts.map((n, code) => n + (statuses[test]?.[code] ?? 0));
      }
      trends.push(...(reader.meta.trends ?? []));
      return Promise.resolve();
    });
  }
  return {
    blocks,
    groups,
    cells,
    notConverged: { count, first },
    statuses,
    trends: trends.length === 0 ? null : trends,
    shrinkage: await readShrinkage(scope),
  };
}
