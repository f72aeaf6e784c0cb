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

/** Cox–Reid profile log-likelihood of α: Σ_groups ℓ(η̂(α), α) − ½ Σ_groups log W; empty groups take no part. */
export function profileDirect(groups: readonly DirectCells[], alpha: number): number {
  let sum = 0;
  for (const group of groups) {
    const fit = fitDirect(group, alpha);
    if (fit.fisher > 0) sum += fit.logLikelihood - 0.5 * Math.log(fit.fisher);
  }
  return sum;
}

const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** Position of the maximum of a unimodal function between two bounds, by golden section; flat tops end in their middle. */
export function maximiseDirect(f: (x: number) => number, low: number, high: number, tolerance: number): number {
  let a = low;
  let b = high;
  let c = b - GOLDEN * (b - a);
  let d = a + GOLDEN * (b - a);
  let fc = f(c);
  let fd = f(d);
  while (b - a > tolerance) {
    if (fc > fd) {
      [b, d, fd] = [d, c, fc];
      c = b - GOLDEN * (b - a);
      fc = f(c);
    } else {
      [a, c, fc] = [c, d, fd];
      d = a + GOLDEN * (b - a);
      fd = f(d);
    }
  }
  return (a + b) / 2;
}
