import type { FitBlock } from './fit-outputs.js';

/** What adjusts p-values over the whole screen. */
export interface Adjustment {
  /** Whether every call of `adjustAll` reads a file, however few the p-values. */
  readonly isOnFile: boolean;
  /** out[i] = the adjusted value of pValues[i]; `out` may be `pValues`. */
  adjustAll(pValues: Float64Array, out: Float64Array): void;
}

/** Blocks that are adjusted in one call where calls are dear: 64 MiB of p-values. */
const BLOCKS_AT_ONCE = 16;

/** Adjusted p-values of a test's blocks, which are asked for in order. */
export class AdjustedBlocks {
  private readonly ready = new Map<FitBlock, Float64Array>();

  /** @param read - the p-values of a block */
  constructor(
    private readonly blocks: readonly FitBlock[],
    private readonly nGenes: number,
    private readonly adjustment: Adjustment,
    private readonly read: (block: FitBlock) => Promise<Float64Array>,
  ) {}

  /** @param pValues - of this block */
  async of(block: FitBlock, pValues: Float64Array): Promise<Float64Array> {
    if (!this.adjustment.isOnFile) {
      const adjusted = new Float64Array(pValues.length);
      this.adjustment.adjustAll(pValues, adjusted);
      return adjusted;
    }
    if (!this.ready.has(block)) await this.adjustFrom(block);
    const adjusted = this.ready.get(block) as Float64Array;
    this.ready.delete(block);
    return adjusted;
  }

  /** Adjusts a block and those that follow it. */
  private async adjustFrom(block: FitBlock): Promise<void> {
    this.ready.clear();
    const begin = this.blocks.indexOf(block);
    const some = this.blocks.slice(begin, begin + BLOCKS_AT_ONCE);
    const lengthOf = ({ rowBegin, rowEnd }: FitBlock): number => (rowEnd - rowBegin) * this.nGenes;
    const together = new Float64Array(some.reduce((sum, one) => sum + lengthOf(one), 0));
    let at = 0;
    for (const one of some) {
      together.set(await this.read(one), at);
      this.ready.set(one, together.subarray(at, at + lengthOf(one)));
      at += lengthOf(one);
    }
    this.adjustment.adjustAll(together, together);
  }
}
