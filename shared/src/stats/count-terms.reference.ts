import { DENSE_COUNTS, type CountHistogram } from './count-histogram.js';
import { COUNT_TERMS, largeCountSlope, type CountSlopeTable } from './count-terms.js';

/**
 * The part of the dispersion likelihood that depends on single counts, Σ_i [lgamma(y_i + 1/α) − lgamma(1/α) + y_i log α]
 * = Σ_{l ≥ 1} C_l log1p(α l), where C_l is the number of cells with a count beyond l: its slope in log α,
 * Σ_l C_l α l/(1 + α l).
 *
 * Counts up to 64 are summed term by term. Of a larger count y, the terms l = 64 … y − 1 come from the difference of two
 * asymptotic series of digamma at arguments of at least 64, where five terms are exact to the last bit; written with log1p
 * so that little cancels as α → 0. The plain twin of shared/assembly/profile-slopes.ts.
 */
export class CountTerms {
  /** C_1 … C_63. */
  private readonly above: number[] = new Array<number>(COUNT_TERMS).fill(0);
  /** How many of them are positive. */
  private readonly nPositive: number;
  private readonly large: readonly (readonly [count: number, cells: number])[];

  constructor(histogram: CountHistogram, gene: number) {
    this.large = histogram.largeCounts(gene);
    const begin = gene * DENSE_COUNTS;
    let cells = 0;
    for (const [, n] of this.large) cells += n;
    let nPositive = cells > 0 ? COUNT_TERMS : 0;
    for (let l = COUNT_TERMS; l >= 1; l--) {
      // C_l counts the cells with y ≥ l + 1, which stand at position l of the dense histogram.
      cells += histogram.dense[begin + l];
      this.above[l - 1] = cells;
      if (nPositive === 0 && cells > 0) nPositive = l;
    }
    this.nPositive = nPositive;
  }

  /** Adds the slope at every point of a table. */
  addSlopes(table: CountSlopeTable, slopes: Float64Array): void {
    const { above, nPositive, large } = this;
    for (let a = 0; a < slopes.length; a++) {
      let slope = 0;
      for (let i = 0; i < nPositive; i++) slope += above[i] * table.slopes[i * table.stride + a];
      if (large.length > 0) {
        const alpha = Math.exp(table.logAlphas[a]);
        for (const [count, cells] of large) slope += cells * largeCountSlope(alpha, count);
      }
      slopes[a] += slope;
    }
  }
}
