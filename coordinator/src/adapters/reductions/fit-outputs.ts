import type { FitSummary } from '@shardex/shared/artifacts';
import { withArtifact, type ReductionScope } from './scratch.js';

/** The fit outputs of a job, in order, and where each one's rows go. */
export interface FitOutputs {
  readonly blocks: readonly FitBlock[];
  /** Group of each result row. */
  readonly groups: readonly number[];
  /** Cells of each result row's group. */
  readonly cells: readonly number[];
  readonly notConverged: number;
}

export interface FitBlock {
  readonly name: string;
  /** Rows of the results this block holds: [rowBegin, rowEnd). */
  readonly rowBegin: number;
  readonly rowEnd: number;
}

/** Reads the headers of all fit outputs. */
export async function readFits(scope: ReductionScope): Promise<FitOutputs> {
  const blocks: FitBlock[] = [];
  const groups: number[] = [];
  const cells: number[] = [];
  let notConverged = 0;
  for (const name of scope.outputs['fit'] ?? []) {
    await withArtifact<FitSummary, void>(scope.store, name, (reader) => {
      blocks.push({ name, rowBegin: groups.length, rowEnd: groups.length + reader.meta.groups.length });
      groups.push(...reader.meta.groups);
      cells.push(...reader.meta.cells);
      notConverged += reader.meta.notConverged;
      return Promise.resolve();
    });
  }
  return { blocks, groups, cells, notConverged };
}
