import type { ShrinkagePrior } from './apeglm.js';
import { logLikelihoodReference, type GeneMeasures } from './measure-fit.reference.js';

export interface PosteriorModeReference {
  readonly beta: number;
  readonly variance: number;
  readonly intercept: number;
  readonly logPosterior: number;
}

const scoreAndInformation = (
  gene: GeneMeasures,
  nodes: ArrayLike<number>,
  alpha: number,
  eta: number,
): [number, number] => {
  const m = Math.exp(eta);
  let [score, information] = [0, 0];
  for (let k = 0; k < nodes.length; k++) {
    const d = 1 + alpha * m * nodes[k];
    score += (gene.S[k] - m * gene.N[k] * nodes[k]) / d;
    information += (m * nodes[k] * (gene.N[k] + alpha * gene.S[k])) / d ** 2;
  }
  return [score, information];
};

/**
 * The plain twin of the shrinkage kernel: the profile posterior on a grid that is dense around 0, where the prior bends,
 * its best point and neighbours, then bisection on the profile's slope. Sees every mode wider than the grid.
 *
 * @param limit - β is looked for in [−limit, limit]
 */
export function posteriorModeReference(
  arms: readonly [GeneMeasures, GeneMeasures],
  nodes: ArrayLike<number>,
  alpha: number,
  prior: ShrinkagePrior,
  limit: number,
): PosteriorModeReference {
  const { scale, interceptScale } = prior;
  const interceptAt = (beta: number): number => {
    let [low, high] = [-80, 80];
    for (;;) {
      const middle = (low + high) / 2;
      if (middle === low || middle === high) return middle;
      const score =
        scoreAndInformation(arms[0], nodes, alpha, middle)[0] +
        scoreAndInformation(arms[1], nodes, alpha, middle + beta)[0] -
        middle / interceptScale ** 2;
      if (score > 0) low = middle;
      else high = middle;
    }
  };
  const logPosterior = (beta: number): number => {
    const a = interceptAt(beta);
    return (
      logLikelihoodReference(arms[0], nodes, alpha, a) +
      logLikelihoodReference(arms[1], nodes, alpha, a + beta) -
      a ** 2 / (2 * interceptScale ** 2) -
      Math.log1p((beta / scale) ** 2)
    );
  };
  const slope = (beta: number): number =>
    scoreAndInformation(arms[1], nodes, alpha, interceptAt(beta) + beta)[0] - (2 * beta) / (scale ** 2 + beta ** 2);

  const points = 240;
  const grid = Array.from({ length: 2 * points + 1 }, (_, i) => {
    const x = (i - points) / points;
    return scale * Math.sinh(x * Math.asinh(limit / scale));
  });
  const values = grid.map(logPosterior);
  const best = values.indexOf(Math.max(...values));
  let low = grid[Math.max(best - 1, 0)];
  let high = grid[Math.min(best + 1, grid.length - 1)];
  for (;;) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (slope(middle) > 0) low = middle;
    else high = middle;
  }
  const beta = (low + high) / 2;
  const intercept = interceptAt(beta);
  const rest = scoreAndInformation(arms[0], nodes, alpha, intercept)[1] + 1 / interceptScale ** 2;
  const perturbed = scoreAndInformation(arms[1], nodes, alpha, intercept + beta)[1];
  const curvature = (2 * (scale ** 2 - beta ** 2)) / (scale ** 2 + beta ** 2) ** 2;
  return {
    beta,
    intercept,
    variance: (rest + perturbed) / (rest * perturbed + curvature * (rest + perturbed)),
    logPosterior: logPosterior(beta),
  };
}
