import { DENSE_COUNTS, type CountHistogram } from './count-histogram.js';

/** First and second derivative of a function of x = log α. */
export interface Slopes {
  first: number;
  second: number;
}

const TERMS = DENSE_COUNTS - 1;

/** log1p(α l) for l = 1 … 63 at fixed points of log α: shared by all genes. */
export class CountLogTable {
  private readonly logs: Float64Array;

  constructor(readonly logAlphas: Float64Array) {
    this.logs = new Float64Array(logAlphas.length * TERMS);
    for (let a = 0; a < logAlphas.length; a++) {
      for (let l = 1; l <= TERMS; l++) this.logs[a * TERMS + l - 1] = Math.log1p(Math.exp(logAlphas[a]) * l);
    }
  }

  /** Σ_l above[l − 1] · log1p(α l) at point a. */
  sum(above: Float64Array, a: number): number {
    let sum = 0;
    for (let i = 0; i < above.length; i++) sum += above[i] * this.logs[a * TERMS + i];
    return sum;
  }
}

/**
 * The part of the dispersion likelihood that depends on single counts: Σ_i [lgamma(y_i + 1/α) − lgamma(1/α) + y_i log α]
 * = Σ_{l ≥ 1} C_l log1p(α l), where C_l is the number of cells with a count beyond l.
 *
 * Counts up to 64 are summed term by term. Of a larger count y, the terms l = 64 … y − 1 come from the difference of two
 * Stirling series at arguments of at least 64, where five terms are exact to the last bit; written with log1p so that
 * nothing cancels as α → 0.
 */
export class CountTerms {
  /** C_1 … C_63, as far as they are positive. */
  private readonly above: Float64Array;
  private readonly large: readonly (readonly [count: number, cells: number])[];

  constructor(histogram: CountHistogram, gene: number) {
    this.large = histogram.largeCounts(gene);
    const begin = gene * DENSE_COUNTS;
    let cells = 0;
    for (const [, n] of this.large) cells += n;
    const above = new Float64Array(DENSE_COUNTS - 1);
    let length = cells > 0 ? above.length : 0;
    for (let l = DENSE_COUNTS - 1; l >= 1; l--) {
      // C_l counts the cells with y ≥ l + 1, which stand at position l of the dense histogram.
      cells += histogram.dense[begin + l];
      above[l - 1] = cells;
      if (length === 0 && cells > 0) length = l;
    }
    this.above = above.subarray(0, length);
  }

  /** The sum at x = log α. */
  value(logAlpha: number): number {
    const alpha = Math.exp(logAlpha);
    let value = this.largeValue(alpha);
    for (let l = 1; l <= this.above.length; l++) value += this.above[l - 1] * Math.log1p(alpha * l);
    return value;
  }

  /** The sum at every point of a table. */
  values(table: CountLogTable): Float64Array {
    return table.logAlphas.map((x, a) => table.sum(this.above, a) + this.largeValue(Math.exp(x)));
  }

  /** Derivatives of the sum at x = log α. */
  slopes(logAlpha: number): Slopes {
    const alpha = Math.exp(logAlpha);
    const slopes: Slopes = { first: 0, second: 0 };
    for (let l = 1; l <= this.above.length; l++) {
      const ratio = (alpha * l) / (1 + alpha * l);
      slopes.first += this.above[l - 1] * ratio;
      slopes.second += (this.above[l - 1] * ratio) / (1 + alpha * l);
    }
    for (const [count, cells] of this.large) addLargeSlopes(slopes, alpha, count, cells);
    return slopes;
  }

  private largeValue(alpha: number): number {
    let value = 0;
    for (const [count, cells] of this.large) value += cells * largeSum(alpha, count);
    return value;
  }
}

/** lgamma(z) − [(z − ½) log z − z + ½ log 2π] for z ≥ 64 (Abramowitz & Stegun 6.1.41). */
const stirling = (z: number): number => {
  const w = 1 / (z * z);
  return (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w / 1188)))) / z;
};
/** digamma(z) − [log z − 1/(2z)] (6.3.18). */
const digammaTail = (z: number): number => {
  const w = 1 / (z * z);
  return -w * (1 / 12 - w * (1 / 120 - w * (1 / 252 - w * (1 / 240 - w / 132))));
};
/** trigamma(z) − [1/z + 1/(2z²)] (6.4.12). */
const trigammaTail = (z: number): number => {
  const w = 1 / (z * z);
  return (w * (1 / 6 - w * (1 / 30 - w * (1 / 42 - w / 30)))) / z;
};

/** Σ_{l=64}^{count−1} log1p(α l), with r = 1/α, a = r + 64, b = r + count. */
function largeSum(alpha: number, count: number): number {
  const a = 1 / alpha + DENSE_COUNTS;
  const b = 1 / alpha + count;
  const gap = count - DENSE_COUNTS;
  return (a - 0.5) * Math.log1p(gap / a) + gap * Math.log1p(alpha * count) - gap + (stirling(b) - stirling(a));
}

/**
 * Adds the derivatives of cells · `largeSum`. d/dx log1p(αl) = 1 − r/(r + l), and the sums of 1/(r + l) and 1/(r + l)²
 * are differences of digamma and trigamma.
 */
function addLargeSlopes(slopes: Slopes, alpha: number, count: number, cells: number): void {
  const r = 1 / alpha;
  const a = r + DENSE_COUNTS;
  const b = r + count;
  const gap = count - DENSE_COUNTS;
  const halves = (0.5 * gap) / (a * b);
  const harmonic = Math.log1p(gap / a) + halves + (digammaTail(b) - digammaTail(a));
  const squares = gap / (a * b) + halves * (1 / a + 1 / b) + (trigammaTail(a) - trigammaTail(b));
  slopes.first += cells * (gap - r * harmonic);
  slopes.second += cells * r * (harmonic - r * squares);
}
