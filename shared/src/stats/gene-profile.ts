import type { CountHistogram } from './count-histogram.js';
import { CountTerms, type Slopes } from './count-terms.js';
import { GridInterpolant, type DispersionGrid } from './dispersion-grid.js';

/** Normal prior of log α. */
export interface LogNormalPrior {
  readonly mean: number;
  readonly variance: number;
}

/** The maximiser is refined until a step is below this, in log α. */
const STEP_TOLERANCE = 1e-9;
const ITERATION_LIMIT = 100;

/**
 * The Cox–Reid profile log-likelihood of one gene's log α over the whole screen: the interpolated sums over groups plus the
 * exact part that depends on single counts.
 */
export class GeneProfile {
  private readonly interpolant: GridInterpolant;
  private readonly countTerms: CountTerms;
  private readonly nodeValues: Float64Array;

  /** @param groupSums - the gene's profile sums at the grid's points, in natural units */
  constructor(
    private readonly grid: DispersionGrid,
    groupSums: Float64Array,
    histogram: CountHistogram,
    gene: number,
  ) {
    this.interpolant = new GridInterpolant(grid, groupSums);
    this.countTerms = new CountTerms(histogram, gene);
    this.nodeValues = this.countTerms.values(grid.countLogs).map((value, a) => value + groupSums[a]);
  }

  /**
   * log α at the maximum within the grid's bounds, of the profile alone or with a prior.
   *
   * The best grid point brackets it; Newton on the derivative, kept inside the bracket, refines it. A profile that still
   * rises at a bound has its maximum there.
   */
  maximise(prior?: LogNormalPrior): number {
    const { logAlphas, logMin, logMax, count } = this.grid;
    let best = 0;
    let bestValue = -Infinity;
    for (let a = 0; a < count; a++) {
      const value = this.nodeValues[a] - penalty(prior, logAlphas[a]);
      if (value > bestValue) [best, bestValue] = [a, value];
    }
    let low = best === 0 ? logMin : logAlphas[best - 1];
    let high = best === count - 1 ? logMax : logAlphas[best + 1];
    if (best === 0 && this.slope(logMin, prior).first <= 0) return logMin;
    if (best === count - 1 && this.slope(logMax, prior).first >= 0) return logMax;
    let x = logAlphas[best];
    for (let iteration = 0; iteration < ITERATION_LIMIT; iteration++) {
      const { first, second } = this.slope(x, prior);
      if (first > 0) low = x;
      else high = x;
      const newton = x - first / second;
      const next = second < 0 && newton > low && newton < high ? newton : (low + high) / 2;
      const step = next - x;
      x = next;
      if (Math.abs(step) < STEP_TOLERANCE) break;
    }
    return x;
  }

  private slope(x: number, prior: LogNormalPrior | undefined): Slopes {
    const groups = this.interpolant.evaluate(x);
    const counts = this.countTerms.slopes(x);
    const first = groups.first + counts.first;
    const second = groups.second + counts.second;
    if (prior === undefined) return { first, second };
    return { first: first - (x - prior.mean) / prior.variance, second: second - 1 / prior.variance };
  }
}

const penalty = (prior: LogNormalPrior | undefined, x: number): number =>
  prior === undefined ? 0 : (x - prior.mean) ** 2 / (2 * prior.variance);
