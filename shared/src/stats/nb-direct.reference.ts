/** Cells of one gene in one group. */
export interface DirectCells {
  readonly counts: ArrayLike<number>;
  readonly sizeFactors: ArrayLike<number>;
}

export interface DirectFit {
  readonly eta: number;
  readonly fisher: number;
  /** Log-likelihood without log y! and Σ y log s. */
  readonly logLikelihood: number;
}

/**
 * Maximum-likelihood intercept of a negative binomial with means s_i e^η, by sums over cells: the slow twin of everything
 * that is computed from compressed measures.
 */
export function fitDirect(cells: DirectCells, alpha: number): DirectFit {
  const { counts, sizeFactors } = cells;
  const n = counts.length;
  let total = 0;
  let exposure = 0;
  for (let i = 0; i < n; i++) {
    total += counts[i];
    exposure += sizeFactors[i];
  }
  if (total === 0) return { eta: -Infinity, fisher: 0, logLikelihood: 0 };
  let eta = Math.log(total / exposure);
  for (let iteration = 0; iteration < 100; iteration++) {
    let score = 0;
    let observed = 0;
    for (let i = 0; i < n; i++) {
      const mu = sizeFactors[i] * Math.exp(eta);
      score += (counts[i] - mu) / (1 + alpha * mu);
      observed += (mu * (1 + alpha * counts[i])) / (1 + alpha * mu) ** 2;
    }
    const step = Math.max(-2, Math.min(2, score / observed));
    eta += step;
    if (Math.abs(step) < 1e-13) break;
  }
  let fisher = 0;
  let logLikelihood = total * eta;
  for (let i = 0; i < n; i++) {
    const mu = sizeFactors[i] * Math.exp(eta);
    fisher += mu / (1 + alpha * mu);
    logLikelihood -= (counts[i] + 1 / alpha) * Math.log1p(alpha * mu);
    for (let l = 1; l < counts[i]; l++) logLikelihood += Math.log1p(alpha * l);
  }
  return { eta, fisher, logLikelihood };
}

/** Huber and White's variance of an intercept: squared shares of the score over the square of the observed information. */
export function robustVarianceDirect({ counts, sizeFactors }: DirectCells, alpha: number, eta: number): number {
  let [meat, observed] = [0, 0];
  for (let i = 0; i < counts.length; i++) {
    const mu = sizeFactors[i] * Math.exp(eta);
    meat += ((counts[i] - mu) / (1 + alpha * mu)) ** 2;
    observed += (mu * (1 + alpha * counts[i])) / (1 + alpha * mu) ** 2;
  }
  return meat / observed ** 2;
}

/** Cox–Reid profile log-likelihood of α: Σ_groups ℓ(η̂(α), α) − ½ Σ_groups log W; empty groups take no part. */
export function profileDirect(groups: readonly DirectCells[], alpha: number): number {
  let sum = 0;
  for (const group of groups) {
    const fit = fitDirect(group, alpha);
    if (fit.fisher > 0) sum += fit.logLikelihood - 0.5 * Math.log(fit.fisher);
  }
  return sum;
}

/** d/d log α of `profileDirect`, with η̂ following α by the implicit function theorem. */
export function profileScoreDirect(groups: readonly DirectCells[], alpha: number): number {
  let score = 0;
  for (const group of groups) {
    const { eta, fisher } = fitDirect(group, alpha);
    if (fisher === 0) continue;
    let fisherByAlpha = 0;
    let fisherByEta = 0;
    let scoreByAlpha = 0;
    let observed = 0;
    for (let i = 0; i < group.counts.length; i++) {
      const y = group.counts[i];
      const mu = group.sizeFactors[i] * Math.exp(eta);
      const denominator = 1 + alpha * mu;
      for (let l = 1; l < y; l++) score += (alpha * l) / (1 + alpha * l);
      score += Math.log1p(alpha * mu) / alpha - ((1 + alpha * y) * mu) / denominator;
      fisherByAlpha -= (alpha * mu * mu) / denominator ** 2;
      fisherByEta += mu / denominator ** 2;
      scoreByAlpha -= ((y - mu) * alpha * mu) / denominator ** 2;
      observed += (mu * (1 + alpha * y)) / denominator ** 2;
    }
    score -= (0.5 * (fisherByAlpha + (fisherByEta * scoreByAlpha) / observed)) / fisher;
  }
  return score;
}

/**
 * log α at the maximum of the profile between two bounds: the best of `points` equidistant ones brackets it, bisection on
 * the derivative finds it to the last bits. A profile that falls from, or rises to, a bound has its maximum there.
 */
export function maximiseProfileDirect(groups: readonly DirectCells[], low: number, high: number, points = 40): number {
  const position = (i: number): number => low + ((high - low) * i) / (points - 1);
  const values = Array.from({ length: points }, (_, i) => profileDirect(groups, Math.exp(position(i))));
  const best = values.indexOf(Math.max(...values));
  let a = position(Math.max(best - 1, 0));
  let b = position(Math.min(best + 1, points - 1));
  if (best === 0 && profileScoreDirect(groups, Math.exp(a)) <= 0) return low;
  if (best === points - 1 && profileScoreDirect(groups, Math.exp(b)) >= 0) return high;
  while (b - a > 1e-11) {
    const middle = (a + b) / 2;
    if (profileScoreDirect(groups, Math.exp(middle)) > 0) a = middle;
    else b = middle;
  }
  return (a + b) / 2;
}
