import type { DeParameters } from '@shardex/shared/config';
import { bonferroni, countTests, GlobalBenjaminiHochberg } from '@shardex/shared/stats';
import { UnnamedFile } from '@shardex/shared/storage';
import { AdjustedBlocks, type Adjustment } from './adjusted-blocks.js';
import type { FitBlock } from './fit-outputs.js';

/** Adjusted p-values over the whole screen, and how many genes were tested for each result row. */
export interface ScreenWide {
  /** Tests that the adjustment counts. */
  readonly nTests: number;
  readonly adjusted: AdjustedBlocks;
  readonly testedPerRow: Int32Array;
}

/** Gathers what the adjustment over the whole screen needs to know of a test's p-values, whatever order they come in. */
export class ScreenTally {
  private readonly global: GlobalBenjaminiHochberg | null;
  private readonly testedPerRow: Int32Array;
  private nTests = 0;

  /** @param file - one of the results: what does not fit into memory goes beside it */
  constructor(
    correction: DeParameters['correction'],
    nRows: number,
    private readonly nGenes: number,
    file: string,
  ) {
    this.global = correction === 'bonferroni' ? null : new GlobalBenjaminiHochberg(() => UnnamedFile.beside(file));
    this.testedPerRow = new Int32Array(nRows);
  }

  /** Counts the p-values of result rows from `rowBegin` on: of each row once. */
  add(pValues: Float64Array, rowBegin: number): void {
    for (let begin = 0, row = rowBegin; begin < pValues.length; begin += this.nGenes, row++) {
      this.testedPerRow[row] = countTests(pValues.subarray(begin, begin + this.nGenes));
      this.nTests += this.testedPerRow[row];
    }
    this.global?.add(pValues);
  }

  /** Once all have been counted. @param read - the p-values of a block */
  async complete(blocks: readonly FitBlock[], read: (block: FitBlock) => Promise<Float64Array>): Promise<ScreenWide> {
    const { global, nTests, testedPerRow } = this;
    while (global?.nextPass() === true) for (const block of blocks) global.collect(await read(block));
    const adjustment: Adjustment = global ?? {
      isOnFile: false,
      adjustAll: (pValues, out) => bonferroni(pValues, out, nTests),
    };
    return { nTests, testedPerRow, adjusted: new AdjustedBlocks(blocks, this.nGenes, adjustment, read) };
  }

  /** Gives back what did not fit into memory; nothing is adjusted afterwards. */
  close(): void {
    this.global?.close();
  }
}
