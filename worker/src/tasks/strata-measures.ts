import { MeasureAccumulator, normalisedTotals, type KernelHeap, type NodeSet } from '@shardex/shared/kernels';
import type { StratumMeasures } from '@shardex/shared/stats';
import type { CountBlock } from './nb-engine.js';
import { runsOfStrata, type Strata } from './strata.js';

/**
 * Compressed measures of one group's cells in each stratum.
 *
 * Cells of a stratum are added in the order given, whatever lies between them. Memory: 8·K bytes a gene and stratum.
 */
export class StrataMeasures {
  private readonly accumulators: readonly MeasureAccumulator[];

  /**
   * @param heap - everything is allocated here
   * @param strata - null: all cells are one stratum
   * @param withSquares - whether to sum Q too
   * @param count - strata to keep; absent: all
   */
  constructor(
    private readonly heap: KernelHeap,
    readonly nGenes: number,
    private readonly nodes: NodeSet,
    private readonly strata: Strata | null,
    withSquares: boolean,
    count = strata?.count ?? 1,
  ) {
    this.accumulators = Array.from({ length: count }, () => new MeasureAccumulator(heap, nGenes, nodes, withSquares));
  }

  reset(): void {
    for (const accumulator of this.accumulators) accumulator.reset();
  }

  /** Adds the block's cells of the strata from `first` on, as many as are kept. */
  addRows(block: CountBlock, first = 0): void {
    for (const { stratum, rows, sizeFactors } of runsOfStrata(block, this.strata)) {
      if ('counts' in rows) this.accumulators[stratum - first]?.addRows(rows, sizeFactors);
    }
  }

  /** Cells of each stratum. */
  cells(): Uint32Array {
    return Uint32Array.from(this.accumulators, ({ nCells }) => nCells);
  }

  /** By stratum, null without cells; valid until the next `reset`. */
  measures(): (StratumMeasures | null)[] {
    return this.accumulators.map((accumulator) => (accumulator.nCells > 0 ? accumulator : null));
  }

  /** Σ y/s of every gene over all strata. */
  normalisedTotals(): Float64Array {
    const totals = new Float64Array(this.nGenes);
    for (const accumulator of this.accumulators) {
      if (accumulator.nCells === 0) continue;
      normalisedTotals(this.heap, accumulator, this.nodes).forEach((total, gene) => (totals[gene] += total));
    }
    return totals;
  }
}
