import type { CountHistogram } from './count-histogram.js';
import { CountTerms } from './count-terms.reference.js';
import type { DispersionGrid } from './dispersion-grid.js';
import { highestMaximum } from './highest-maximum.js';
import { LocalInterpolant } from './local-interpolant.reference.js';
import { priorSlope, type LogNormalPrior } from './log-normal-prior.js';

/**
 * The Cox–Reid profile log-likelihood of one gene's log α over the whole screen, by its slope: the sums over groups plus
 * the part that depends on single counts. The plain twin of the kernels behind `GeneProfiles`.
 */
export class GeneProfile {
  /** The slope at the grid's points. */
  private readonly slopes: Float64Array;

  /** @param groupSlopes - the gene's sums of slopes at the grid's points, in natural units; taken over */
  constructor(
    private readonly grid: DispersionGrid,
    groupSlopes: Float64Array,
    histogram: CountHistogram,
    gene: number,
  ) {
    new CountTerms(histogram, gene).addSlopes(grid.countSlopes, groupSlopes);
    this.slopes = groupSlopes;
  }

  /** log α at the maximum within the grid's bounds, of the profile alone or with a prior. */
  maximise(prior?: LogNormalPrior): number {
    const { logAlphas, logMin, logMax, bounded, count } = this.grid;
    const slopes = [this.near(logMin, prior)(logMin)];
    for (let a = 0; a < count; a++) slopes.push(this.slopes[a] + priorSlope(prior, logAlphas[a]));
    slopes.push(this.near(logMax, prior)(logMax));
    return highestMaximum({ points: bounded, slopes, near: (centre) => this.near(centre, prior) });
  }

  /** The slope of profile and prior together, to be asked near `centre`. */
  private near(centre: number, prior: LogNormalPrior | undefined): (x: number) => number {
    const interpolant = new LocalInterpolant(this.grid, this.slopes, centre);
    return (x) => interpolant.at(x) + priorSlope(prior, x);
  }
}
