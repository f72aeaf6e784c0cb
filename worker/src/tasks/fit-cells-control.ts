import { ArmLogCounts, type MedianOfRatios } from '@shardex/shared/stats';
import { InvariantBrokenError } from '@shardex/shared/errors';
import { BYTES_A_NONZERO, CountRowBuffer, type CountColumns } from './fit-cells-counts.js';
import type { GroupRows } from './group-rows.js';
import { isCountBlock, type CountBlock } from './nb-engine.js';
import { openGroupRows, type TaskScope } from './task-scope.js';

const CONTROL = 0;
/** Share of a task's memory that the control's columns may take. */
const MEMORY_SHARE = 0.25;

/** The genes [begin, end) of a task's chunk, and the control's counts of them. */
export interface ControlChunk {
  readonly begin: number;
  readonly end: number;
  readonly columns: CountColumns;
}

/**
 * The control's cells as the comparisons of one task need them: by genes, in as many chunks as memory asks for. Where one
 * chunk holds all genes it is made once and stays for the task.
 */
export class ControlCells {
  private chunk: ControlChunk | null = null;

  private constructor(
    private readonly rows: GroupRows,
    private readonly nGenes: number,
    private readonly genesPerChunk: number,
    /** Index in the file of each cell, in file order. */
    readonly cells: Uint32Array,
    /** For size factors by medians of ratios; null when not asked for. */
    readonly logCounts: ArmLogCounts | null,
  ) {}

  /** @param withLogCounts - sum the logarithms of counts, too */
  static async open(scope: TaskScope, withLogCounts: boolean): Promise<ControlCells> {
    const { job, assignment } = scope;
    const { nGenes, nCells } = job.context;
    const rows = await openGroupRows(scope, CONTROL, CONTROL + 1);
    const cells: number[] = [];
    const logCounts = withLogCounts ? new ArmLogCounts(nGenes, nCells) : null;
    for await (const block of countBlocks(rows)) {
      for (let row = 0; row < block.rows.nRows; row++) cells.push(block.cells[row]);
      logCounts?.addRows(block.rows);
    }
    const genesPerNonzero = nGenes / Math.max(rows.nonzerosOf(CONTROL), 1);
    const affordable = (assignment.memoryBytes * MEMORY_SHARE * genesPerNonzero) / BYTES_A_NONZERO;
    const genesPerChunk = Math.min(nGenes, Math.max(1, Math.floor(affordable)));
    return new ControlCells(rows, nGenes, genesPerChunk, Uint32Array.from(cells), logCounts);
  }

  /** All genes, chunk by chunk. */
  async *chunks(): AsyncGenerator<ControlChunk> {
    for (let begin = 0; begin < this.nGenes; begin += this.genesPerChunk) {
      const end = Math.min(begin + this.genesPerChunk, this.nGenes);
      if (this.chunk?.begin !== begin) {
        this.chunk = null;
        const buffer = new CountRowBuffer();
        for await (const block of countBlocks(this.rows, begin, end)) buffer.add(block);
        this.chunk = { begin, end, columns: buffer.columns(0, end - begin) };
      }
      yield this.chunk;
    }
  }

  /** The median of ratios of every cell. */
  async medians(ratios: MedianOfRatios): Promise<number[]> {
    const medians: number[] = [];
    for await (const { rows } of countBlocks(this.rows)) {
      for (let row = 0; row < rows.nRows; row++) {
        medians.push(ratios.of(rows.indices, rows.counts, rows.indptr[row], rows.indptr[row + 1]));
      }
    }
    return medians;
  }
}

async function* countBlocks(rows: GroupRows, geneBegin?: number, geneEnd?: number): AsyncGenerator<CountBlock> {
  for await (const block of rows.blocks(CONTROL, geneBegin, geneEnd)) {
    if (!isCountBlock(block)) throw new InvariantBrokenError('the NB-GLM needs counts');
    yield block;
  }
}
