import {
  SCRATCH_NAMES,
  type ComparisonTrend,
  type ConvergenceSummary,
  type FitSummary,
  type SizeFactorSummary,
} from '@shardex/shared/artifacts';
import { fitDesignOf, type Shrinkage } from '../../domain/index.js';
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
  let count = 0;
  for (const [i, name] of (scope.outputs['fit'] ?? []).entries()) {
    const meta = await readSummary(scope, name);
    const rowBegin = groups.length;
    blocks.push(...blocksOf(scope, name, scope.outputs['shrink']?.[i] ?? null, rowBegin, meta.groups.length));
    groups.push(...meta.groups);
    cells.push(...meta.cells);
    count += meta.notConverged.count;
    for (const [row, gene] of meta.notConverged.first) first.push([rowBegin + row, gene]);
    for (const [test, counts] of Object.entries(meta.statuses)) {
      statuses[test] = counts.map((n, code) => n + (statuses[test]?.[code] ?? 0));
    }
    trends.push(...(meta.trends ?? []));
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

/** Groups of the result rows, in order, as they are known before any fit: those that the filters have kept. */
export async function readResultGroups({ store, context }: ReductionScope): Promise<readonly number[]> {
  const groupKept = await withArtifact<SizeFactorSummary, Uint8Array>(store, SCRATCH_NAMES.sizeFactors, (reader) =>
    reader.u8('groupKept'),
  );
  const { testsControl } = fitDesignOf(context.parameters, 1);
  return context.groupLabels
    .map((_, group) => group)
    .filter((group) => groupKept[group] === 1 && (group > 0 || testsControl));
}

/** The blocks of one fit output. @param groups - of all result rows */
export async function readBlocks(
  scope: ReductionScope,
  name: string,
  groups: readonly number[],
): Promise<readonly FitBlock[]> {
  const own = (await readSummary(scope, name)).groups;
  return own.length === 0 ? [] : blocksOf(scope, name, null, groups.indexOf(own[0]), own.length);
}

const readSummary = ({ store }: ReductionScope, name: string): Promise<FitSummary> =>
  withArtifact<FitSummary, FitSummary>(store, name, ({ meta }) => Promise.resolve(meta));

function blocksOf(
  { context }: ReductionScope,
  name: string,
  shrunkName: string | null,
  rowBegin: number,
  nRows: number,
): FitBlock[] {
  const rowsAtATime = Math.max(1, Math.floor(BLOCK_PAIRS / context.nGenes));
  const blocks: FitBlock[] = [];
  for (let outputRow = 0; outputRow < nRows; outputRow += rowsAtATime) {
    const end = Math.min(nRows, outputRow + rowsAtATime);
    blocks.push({ name, shrunkName, rowBegin: rowBegin + outputRow, rowEnd: rowBegin + end, outputRow });
  }
  return blocks;
}
