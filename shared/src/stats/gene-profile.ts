import type { CountHistogram } from './count-histogram.js';
import { CountTerms } from './count-terms.js';
import { LocalInterpolant, type DispersionGrid } from './dispersion-grid.js';
import { highestMaximum } from './highest-maximum.js';

/** Normal prior of log α. */
export interface LogNormalPrior {
  readonly mean: number;
  readonly variance: number;
}

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

  /** log α at the maximum within the grid's bounds, of the profile alone or with a prior. */
  maximise(prior?: LogNormalPrior): number {
    const { logAlphas, logMin, logMax } = this.grid;
    const near = (centre: number): ((x: number) => number) => this.near(centre, prior);
    const slopes = this.slopes.map((slope, a) => slope + priorSlope(prior, logAlphas[a]));
    return highestMaximum({
      points: [logMin, ...logAlphas, logMax],
      slopes: [near(logMin)(logMin), ...slopes, near(logMax)(logMax)],
      near,
    });
  }

  /** The slope of profile and prior together, to be asked near `centre`. */
  private near(centre: number, prior: LogNormalPrior | undefined): (x: number) => number {
    const interpolant = new LocalInterpolant(this.grid, this.slopes, centre);
    return (x) => interpolant.at(x) + priorSlope(prior, x);
  }
}

/** Slope of the prior's log density; 0 without one. */
export const priorSlope = (prior: LogNormalPrior | undefined, x: number): number =>
  prior === undefined ? 0 : -(x - prior.mean) / prior.variance;
