import { DENSE_COUNTS, type CountHistogram } from './count-histogram.js';

const TERMS = DENSE_COUNTS - 1;

/** α l/(1 + α l) for l = 1 … 63 at fixed points of log α: shared by all genes. */
export class CountSlopeTable {
  private readonly slopes: Float64Array;

  constructor(readonly logAlphas: Float64Array) {
    this.slopes = new Float64Array(logAlphas.length * TERMS);
    for (let a = 0; a < logAlphas.length; a++) {
      const alpha = Math.exp(logAlphas[a]);
      for (let l = 1; l <= TERMS; l++) this.slopes[a * TERMS + l - 1] = (alpha * l) / (1 + alpha * l);
    }
  }

  /** Σ_{l ≤ n} above[l − 1] · α l/(1 + α l) at point a. */
  sum(above: readonly number[], n: number, a: number): number {
    const { slopes } = this;
    const begin = a * TERMS;
    let sum = 0;
    for (let i = 0; i < n; i++) sum += above[i] * slopes[begin + i];
    return sum;
  }
}

/**
 * The part of the dispersion likelihood that depends on single counts, Σ_i [lgamma(y_i + 1/α) − lgamma(1/α) + y_i log α]
 * = Σ_{l ≥ 1} C_l log1p(α l), where C_l is the number of cells with a count beyond l: its slope in log α,
 * Σ_l C_l α l/(1 + α l).
 *
 * Counts up to 64 are summed term by term. Of a larger count y, the terms l = 64 … y − 1 come from the difference of two
 * asymptotic series of digamma at arguments of at least 64, where five terms are exact to the last bit; written with log1p
 * so that little cancels as α → 0.
 */
export class CountTerms {
  /** C_1 … C_63. An array in V8's own heap: the memory of a typed one costs more than what is done with it. */
  private readonly above: number[] = new Array<number>(TERMS).fill(0);
  /** How many of them are positive. */
  private readonly nPositive: number;
  private readonly large: readonly (readonly [count: number, cells: number])[];

  constructor(histogram: CountHistogram, gene: number) {
    this.large = histogram.largeCounts(gene);
    const begin = gene * DENSE_COUNTS;
    let cells = 0;
    for (const [, n] of this.large) cells += n;
    let nPositive = cells > 0 ? TERMS : 0;
    for (let l = TERMS; l >= 1; l--) {
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
      let slope = table.sum(above, nPositive, a);
      if (large.length > 0) {
        const alpha = Math.exp(table.logAlphas[a]);
        for (const [count, cells] of large) slope += cells * largeCountSlope(alpha, count);
      }
      slopes[a] += slope;
    }
  }
}

/** digamma(z) − [log z − 1/(2z)] (6.3.18). */
const digammaTail = (z: number): number => {
  const w = 1 / (z * z);
  return -w * (1 / 12 - w * (1 / 120 - w * (1 / 252 - w * (1 / 240 - w / 132))));
};

/**
 * Σ_{l=64}^{count−1} α l/(1 + α l). With r = 1/α a term is 1 − r/(r + l), and the sum of 1/(r + l) is the difference of
 * digamma at b = r + count and a = r + 64.
 */
export function largeCountSlope(alpha: number, count: number): number {
  const r = 1 / alpha;
  const a = r + DENSE_COUNTS;
  const b = r + count;
  const gap = count - DENSE_COUNTS;
  const harmonic = Math.log1p(gap / a) + (0.5 * gap) / (a * b) + (digammaTail(b) - digammaTail(a));
  return gap - r * harmonic;
}
