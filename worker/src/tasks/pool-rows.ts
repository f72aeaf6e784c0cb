import type { GroupBlock, GroupRows } from './group-rows.js';
import type { CellFactors } from './job-data.js';
import { openGroupRows, PREFETCH_SHARE, type TaskScope } from './task-scope.js';

/** Cells of one group of the pool. */
export interface PoolBlock extends GroupBlock {
  readonly group: number;
}

/** A run of groups that are opened together. */
interface GroupRun {
  readonly begin: number;
  readonly end: number;
}

/** Encoded bytes of a nonzero on scratch, rounded up. */
const BYTES_PER_NONZERO = 2.5;

/**
 * The cells a perturbation is compared with: the control's; or, with another `--reference`, all that take part, of which
 * its own are taken out later.
 *
 * Cells come group by group, in file order within a group, whatever the shards were. A pool too large to be held is opened in
 * runs of groups, each of which is read at once.
 */
export class PoolRows {
  readonly cells: number;
  readonly nonzeros: number;
  /** Bytes read from scratch by runs that are closed again. */
  private bytesOfRuns = 0;

  private constructor(
    private readonly scope: TaskScope,
    private readonly factors: CellFactors,
    private readonly runs: readonly GroupRun[],
    /** The only run, open for all passes; null when there are several. */
    private readonly whole: GroupRows | null,
  ) {
    const inPool = (_: number, group: number): boolean => group < runs[runs.length - 1].end;
    const kept = (sum: number, n: number, group: number): number => sum + n * factors.groupKept[group];
    this.cells = factors.groupCells.filter(inPool).reduce(kept, 0);
    this.nonzeros = factors.groupNonzeros.filter(inPool).reduce(kept, 0);
  }

  static async open(scope: TaskScope): Promise<PoolRows> {
    const { job, assignment } = scope;
    const factors = await job.cellFactors();
    const nGroups = job.context.parameters.reference === 'control' ? 1 : job.nGroups;
    const runs = runsOf(factors.groupNonzeros.subarray(0, nGroups), assignment.memoryBytes * PREFETCH_SHARE);
    const whole = runs.length === 1 ? await openGroupRows(scope, runs[0].begin, runs[0].end) : null;
    return new PoolRows(scope, factors, runs, whole);
  }

  get bytesRead(): number {
    return this.bytesOfRuns + (this.whole?.bytesRead ?? 0);
  }

  /**
   * One pass over the cells, genes [geneBegin, geneEnd) only, numbered from geneBegin.
   *
   * A block is valid until the next; what is allocated in the heap during the pass does not outlive it.
   */
  async *blocks(geneBegin: number, geneEnd: number): AsyncGenerator<PoolBlock> {
    const { heap } = this.scope;
    for (const { begin, end } of this.runs) {
      const mark = heap.mark();
      const rows = this.whole ?? (await openGroupRows(this.scope, begin, end));
      for (let group = begin; group < end; group++) {
        if (this.factors.groupKept[group] === 0) continue;
        for await (const block of rows.blocks(group, geneBegin, geneEnd)) yield { ...block, group };
      }
      if (rows === this.whole) continue;
      this.bytesOfRuns += rows.bytesRead;
      heap.release(mark);
    }
  }
}

/** Groups in order, as many at a time as fit into `bytes`; a larger one is a run of its own. */
function runsOf(groupNonzeros: Float64Array, bytes: number): GroupRun[] {
  const runs: GroupRun[] = [];
  let begin = 0;
  let held = 0;
  groupNonzeros.forEach((nonzeros, group) => {
    const own = nonzeros * BYTES_PER_NONZERO;
    if (group > begin && held + own > bytes) {
      runs.push({ begin, end: group });
      begin = group;
      held = 0;
    }
    held += own;
  });
  return [...runs, { begin, end: groupNonzeros.length }];
}
