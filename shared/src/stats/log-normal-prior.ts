/** Normal prior of log α. */
export interface LogNormalPrior {
  readonly mean: number;
  readonly variance: number;
}

/** Slope of the prior's log density; 0 without one. */
export const priorSlope = (prior: LogNormalPrior | undefined, x: number): number =>
  prior === undefined ? 0 : -(x - prior.mean) / prior.variance;
