import type { CountHistogram } from './count-histogram.js';
import { CountTerms } from './count-terms.js';
import { LocalInterpolant, type DispersionGrid } from './dispersion-grid.js';

/** Normal prior of log α. */
export interface LogNormalPrior {
  readonly mean: number;
  readonly variance: number;
}

/** The maximiser is known to this, in log α. */
const TOLERANCE = 1e-9;
const ITERATION_LIMIT = 100;
/** Three-point Gauss–Legendre nodes on [-1, 1] and their weights. */
const QUADRATURE = [
  [-Math.sqrt(0.6), 5 / 9],
  [0, 8 / 9],
  [Math.sqrt(0.6), 5 / 9],
] as const;

/**
 * The Cox–Reid profile log-likelihood of one gene's log α over the whole screen, by its slope: the sums over groups plus
 * the part that depends on single counts.
 */
export class GeneProfile {
  /** The slope at the grid's points. */
  private readonly slopes: Float64Array;

  /** @param groupSlopes - the gene's sums of slopes at the grid's points, in natural units */
  constructor(
    private readonly grid: DispersionGrid,
    groupSlopes: Float64Array,
    histogram: CountHistogram,
    gene: number,
  ) {
    this.slopes = new CountTerms(histogram, gene).slopes(grid.countSlopes).map((slope, a) => slope + groupSlopes[a]);
  }

  /**
   * log α at the maximum within the grid's bounds, of the profile alone or with a prior.
   *
   * Every fall of the slope through zero between two grid points brackets a local maximum; a profile that falls from, or
   * rises to, a bound has one there. Of several, the integral of the slope tells the highest.
   */
  maximise(prior?: LogNormalPrior): number {
    const { logAlphas, logMin, logMax, count } = this.grid;
    const maxima: number[] = [];
    let left = logMin;
    let leftSlope = this.near(logMin, prior)(logMin);
    if (leftSlope <= 0) maxima.push(logMin);
    for (let a = 0; a <= count; a++) {
      const right = a < count ? logAlphas[a] : logMax;
      const rightSlope = a < count ? this.slopes[a] + priorSlope(prior, right) : this.near(logMax, prior)(logMax);
      if (leftSlope > 0 && rightSlope <= 0) {
        maxima.push(fallingRoot(this.near((left + right) / 2, prior), left, leftSlope, right, rightSlope));
      }
      left = right;
      leftSlope = rightSlope;
    }
    if (leftSlope > 0) maxima.push(logMax);
    return maxima.length === 1 ? maxima[0] : this.highest(maxima, prior);
  }

  /** The slope of profile and prior together, to be asked near `centre`. */
  private near(centre: number, prior: LogNormalPrior | undefined): (x: number) => number {
    const interpolant = new LocalInterpolant(this.grid, this.slopes, centre);
    return (x) => interpolant.at(x) + priorSlope(prior, x);
  }

  private highest(maxima: readonly number[], prior: LogNormalPrior | undefined): number {
    let best = maxima[0];
    let rise = 0;
    for (let i = 1; i < maxima.length; i++) {
      rise += this.integral(maxima[i - 1], maxima[i], prior);
      if (rise > 0) [best, rise] = [maxima[i], 0];
    }
    return best;
  }

  /** ∫ of the slope, piecewise between grid points. */
  private integral(from: number, to: number, prior: LogNormalPrior | undefined): number {
    const ends = [from, ...this.grid.logAlphas.filter((x) => x > from && x < to), to];
    let sum = 0;
    for (let i = 1; i < ends.length; i++) {
      const middle = (ends[i - 1] + ends[i]) / 2;
      const half = (ends[i] - ends[i - 1]) / 2;
      const slope = this.near(middle, prior);
      for (const [node, weight] of QUADRATURE) sum += half * weight * slope(middle + half * node);
    }
    return sum;
  }
}

const priorSlope = (prior: LogNormalPrior | undefined, x: number): number =>
  prior === undefined ? 0 : -(x - prior.mean) / prior.variance;

/**
 * The root of a function with f(low) > 0 ≥ f(high), by the secant through the bracket's ends, an end that stays twice
 * counting half.
 *
 * @source Dowell & Jarratt 1971, BIT 11:168 (the Illinois method)
 */
function fallingRoot(f: (x: number) => number, low: number, atLow: number, high: number, atHigh: number): number {
  let kept = 0;
  for (let iteration = 0; iteration < ITERATION_LIMIT && high - low > TOLERANCE; iteration++) {
    const x = (low * atHigh - high * atLow) / (atHigh - atLow);
    const value = f(x);
    if (value === 0) return x;
    if (value > 0) {
      if (x - low < TOLERANCE && kept >= 0) return x;
      [low, atLow] = [x, value];
      if (kept > 0) atHigh /= 2;
      kept = 1;
    } else {
      if (high - x < TOLERANCE && kept <= 0) return x;
      [high, atHigh] = [x, value];
      if (kept < 0) atLow /= 2;
      kept = -1;
    }
  }
  return (low + high) / 2;
}
