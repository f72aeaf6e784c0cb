import type { TaskSpec } from '@shardex/shared/artifacts';
import { DEFAULT_DE_PARAMETERS, type DeParameters } from '@shardex/shared/config';
import { stageCosts, testFileBytes, type JobSize } from '@shardex/coordinator/domain';
import type { ScreenShape } from './screens.js';

/** All three tests against the control, as by default. */
export const PARAMETERS: DeParameters = { ...DEFAULT_DE_PARAMETERS, input: 'screen.h5ad', output: 'out' };

/** What one task takes beside a worker's time. */
export interface TaskCost {
  /** On one core of the machine of docs/benchmarks.md. */
  readonly computeSeconds: number;
  /** Through the shared storage. */
  readonly bytes: number;
  /** Reads that wait for each other's answers, a batch at a time. */
  readonly requests: number;
}

/** Opening scratch, reading the context, committing and syncing one object: measured on small jobs of many tasks. */
const TASK_SECONDS = 0.05;
/** Compressed input: deflated float32 counts with indices, from the screens of `shardex simulate`. */
const INPUT_BYTES_PER_NONZERO = 2.6;
/** @source docs/adr/0004 */
const SCRATCH_BYTES_PER_NONZERO = 2.03;
/** Objects are checked, and so read, by blocks of this size. @source shared/src/artifacts/checksum.ts */
const CHECK_BYTES = 256 * 1024;
/** Id, offset and length of every row. */
const ROW_BYTES = 12;
/** Reads that a task makes of each scan output: rows of the groups, their ids, offsets and lengths, their bytes. */
const READS_PER_SCAN_OUTPUT = 5;
/** A rank key of the frozen control. */
const KEY_BYTES = 8;
/** Share of a task's memory that they may take to be kept. @source worker/src/tasks/control-columns.ts */
const KEPT_SHARE = 0.35;
/** What a dispersion task leaves a gene: 44 sums and a histogram. */
const DISPERSION_BYTES_PER_GENE = 600;

/**
 * Share of the output's bytes that are moved when a fit is done: all but the adjusted p-values are read and written. In the end
 * those are written, and p-values read twice.
 */
const ROW_BYTES_MOVED = 1.7;
const MERGE_BYTES_MOVED = 0.5;
/** Share of the merge's seconds that is left for the end. @source docs/scaling.md, 50,000 cells */
const MERGE_SECONDS_LEFT = 0.5;

/** Costs of one screen's tasks: seconds from the engine's own cost model, bytes from its formats. */
export class TaskCosts {
  readonly totalNonzeros: number;
  /** Scan outputs that there are; set when the scan has been planned. */
  scanTasks = 1;

  constructor(
    readonly screen: ScreenShape,
    readonly groups: Float64Array,
  ) {
    this.totalNonzeros = groups.reduce((sum, own) => sum + own, 0);
  }

  /** Whether a worker keeps the control's sorted columns from fit to fit. */
  areColumnsKept(taskMemoryBytes: number): boolean {
    return this.groups[0] * KEY_BYTES <= taskMemoryBytes * KEPT_SHARE;
  }

  /** @param hasColumns - the worker has the control's sorted columns from a fit before */
  of(spec: TaskSpec, hasColumns: boolean): TaskCost {
    const { screen } = this;
    switch (spec.kind) {
      case 'scan': {
        const nonzeros = (this.totalNonzeros * (spec.rowEnd - spec.rowBegin)) / screen.cells;
        const bytes = nonzeros * (INPUT_BYTES_PER_NONZERO + SCRATCH_BYTES_PER_NONZERO);
        return task(this.seconds('scan', nonzeros, 0), bytes, 10);
      }
      case 'control': {
        const share = (spec.geneEnd - spec.geneBegin) / screen.genes;
        const pool = this.groups[0];
        // Every task decodes all rows of the pool; what it does with them is for its genes.
        const decode = this.seconds('shrink', pool, 0) / 4;
        const bytes = this.rowBytes(0, 1) + share * pool * KEY_BYTES;
        return task(decode + share * this.seconds('control', pool, 0), bytes, this.reads());
      }
      case 'dispersion':
      case 'fit': {
        const nonzeros = this.groups.slice(spec.groupBegin, spec.groupEnd).reduce((sum, own) => sum + own, 0);
        const groups = spec.groupEnd - spec.groupBegin;
        const pairs = groups * screen.genes;
        const columns = hasColumns ? 0 : this.groups[0] * KEY_BYTES;
        const fixed = spec.kind === 'fit' ? columns : screen.genes * DISPERSION_BYTES_PER_GENE;
        const written = spec.kind === 'fit' ? pairs * this.outputBytesPerPair() : 0;
        const bytes = this.rowBytes(spec.groupBegin, spec.groupEnd) + fixed + written;
        return task(this.seconds(spec.kind, nonzeros, groups), bytes, this.reads());
      }
      default:
        return task(0, 0, 0);
    }
  }

  /** Seconds and bytes of a stage of the coordinator. */
  reduction(stage: string, tasksBefore: number): TaskCost {
    const { genes, perturbations, cells } = this.screen;
    const all = this.size(this.totalNonzeros, perturbations + 1);
    const seconds = stageCosts(PARAMETERS, all)[stage as 'trend' | 'merge' | 'size-factors'].coreSeconds;
    if (stage === 'trend') return task(seconds, tasksBefore * genes * DISPERSION_BYTES_PER_GENE, tasksBefore);
    if (stage === 'merge') {
      const output = this.outputBytesPerPair() * perturbations * genes;
      return task(seconds * MERGE_SECONDS_LEFT, output * MERGE_BYTES_MOVED, tasksBefore);
    }
    return task(seconds, cells * 16, tasksBefore);
  }

  /** Reading the rows of a fit and writing them to the results, while other fits run. */
  rowsOf(groups: number): TaskCost {
    const { genes } = this.screen;
    const { merge } = stageCosts(PARAMETERS, this.size(0, groups + 1));
    const output = this.outputBytesPerPair() * groups * genes;
    const seconds = merge.coreSeconds * (1 - MERGE_SECONDS_LEFT);
    return { computeSeconds: seconds, bytes: output * ROW_BYTES_MOVED, requests: 1 };
  }

  private seconds(
    stage: 'scan' | 'control' | 'dispersion' | 'fit' | 'shrink',
    nonzeros: number,
    groups: number,
  ): number {
    const size = this.size(nonzeros, groups + 1);
    return stageCosts(PARAMETERS, { ...size, poolShare: 1 })[stage].coreSeconds;
  }

  private size(nonzeros: number, groups: number): JobSize {
    const { cells, genes, controlShare } = this.screen;
    return { inputBytes: 0, nonzeros, cells, genes, groups, poolShare: controlShare };
  }

  /** Bytes that reading groups [begin, end) costs: of every scan output whole blocks, however few rows it has of them. */
  private rowBytes(begin: number, end: number): number {
    const nonzeros = this.groups.slice(begin, end).reduce((sum, own) => sum + own, 0);
    const perScan = (nonzeros * SCRATCH_BYTES_PER_NONZERO) / this.scanTasks;
    const scanBytes = (this.totalNonzeros * SCRATCH_BYTES_PER_NONZERO) / this.scanTasks;
    const rowsOfScan = this.screen.cells / this.scanTasks;
    const places = Math.min(CHECK_BYTES, (this.groups.length + 1) * 4);
    const rows = Math.min(
      rowsOfScan * ROW_BYTES,
      3 * CHECK_BYTES + (perScan / this.screen.nonzerosPerCell) * ROW_BYTES,
    );
    // On average half a block is read in vain at either end.
    return this.scanTasks * (Math.min(scanBytes, perScan + CHECK_BYTES) + places + rows);
  }

  private reads(): number {
    return this.scanTasks * READS_PER_SCAN_OUTPUT;
  }

  private outputBytesPerPair(): number {
    const one: JobSize = { inputBytes: 0, nonzeros: 0, cells: 0, genes: 1, groups: 2, poolShare: 1 };
    return PARAMETERS.tests.reduce((sum, test) => sum + testFileBytes(PARAMETERS, test, one), 0);
  }
}

const task = (computeSeconds: number, bytes: number, requests: number): TaskCost => ({
  computeSeconds: computeSeconds + TASK_SECONDS,
  bytes,
  requests,
});
