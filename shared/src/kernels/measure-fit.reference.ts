/** Measures of one gene in one group, in ordinary arrays. */
export interface GeneMeasures {
  readonly S: ArrayLike<number>;
  readonly N: ArrayLike<number>;
  /** Σ y. */
  readonly total: number;
}

export interface InterceptFit {
  readonly eta: number;
  readonly fisher: number;
  readonly observed: number;
}

const sumOver = (nodes: ArrayLike<number>, term: (s: number, k: number) => number): number => {
  let sum = 0;
  for (let k = 0; k < nodes.length; k++) sum += term(nodes[k], k);
  return sum;
};

/** Root of a falling function, by bisection to the last bit. */
const fallingRoot = (f: (x: number) => number): number => {
  let low = -60;
  let high = 60;
  for (let i = 0; i < 200 && low < high; i++) {
    const middle = 0.5 * (low + high);
    if (middle === low || middle === high) break;
    if (f(middle) > 0) low = middle;
    else high = middle;
  }
  return 0.5 * (low + high);
};

const informations = (gene: GeneMeasures, nodes: ArrayLike<number>, alpha: number, eta: number): InterceptFit => {
  const m = Math.exp(eta);
  const t = alpha * m;
  const fisher = m * sumOver(nodes, (s, k) => (gene.N[k] * s) / (1 + t * s));
  const observed = m * sumOver(nodes, (s, k) => ((gene.N[k] + alpha * gene.S[k]) * s) / (1 + t * s) ** 2);
  return { eta, fisher, observed };
};

/** The plain twin of the intercept fit: the equations of design/statistics as they stand, solved by bisection. */
export function fitInterceptReference(gene: GeneMeasures, nodes: ArrayLike<number>, alpha: number): InterceptFit {
  const score = (eta: number): number => {
    const m = Math.exp(eta);
    return sumOver(nodes, (s, k) => (gene.S[k] - m * gene.N[k] * s) / (1 + alpha * m * s));
  };
  const firth = (eta: number): number => {
    const m = Math.exp(eta);
    const w = m * sumOver(nodes, (s, k) => (gene.N[k] * s) / (1 + alpha * m * s));
    const slope = m * sumOver(nodes, (s, k) => (gene.N[k] * s) / (1 + alpha * m * s) ** 2);
    return -w + (0.5 * slope) / w;
  };
  return informations(gene, nodes, alpha, fallingRoot(gene.total > 0 ? score : firth));
}

/** Log-likelihood of η up to terms without η: Y η − Σ (S + N/α) log1p(t s), or its limit for α = 0. */
export function logLikelihoodReference(
  gene: GeneMeasures,
  nodes: ArrayLike<number>,
  alpha: number,
  eta: number,
): number {
  if (gene.total === 0 && eta === -Infinity) return 0;
  const m = Math.exp(eta);
  if (alpha === 0) return gene.total * eta - m * sumOver(nodes, (s, k) => gene.N[k] * s);
  return gene.total * eta - sumOver(nodes, (s, k) => (gene.S[k] + gene.N[k] / alpha) * Math.log1p(alpha * m * s));
}

/** The plain twin of the likelihood-ratio kernel: three log-likelihoods, subtracted. */
export function likelihoodRatioReference(
  arms: readonly [GeneMeasures, GeneMeasures],
  nodes: ArrayLike<number>,
  alpha: number,
): number {
  const sum = (a: ArrayLike<number>, b: ArrayLike<number>): number[] => Array.from(a, (value, k) => value + b[k]);
  const pooled = {
    S: sum(arms[0].S, arms[1].S),
    N: sum(arms[0].N, arms[1].N),
    total: arms[0].total + arms[1].total,
  };
  const best = (gene: GeneMeasures): number => {
    const eta = gene.total > 0 ? fitInterceptReference(gene, nodes, alpha).eta : -Infinity;
    return logLikelihoodReference(gene, nodes, alpha, eta);
  };
  return 2 * (best(arms[0]) + best(arms[1]) - best(pooled));
}

/**
 * The plain twin of one term of the dispersion profile's slope in log α, before rounding to a quantum: the derivative of
 * ℓ(η(x), x) − ½ log W(η(x), x) by the implicit function theorem, as it stands.
 */
export function profileSlopeReference(gene: GeneMeasures, nodes: ArrayLike<number>, alpha: number): number {
  const { eta, fisher, observed } = fitInterceptReference(gene, nodes, alpha);
  const m = Math.exp(eta);
  const t = alpha * m;
  const share = (s: number): number => (t * s) / (1 + t * s);
  const likelihood = sumOver(
    nodes,
    (s, k) => (gene.N[k] * Math.log1p(t * s)) / alpha - (gene.S[k] + gene.N[k] / alpha) * share(s),
  );
  // ∂W/∂η, ∂W/∂x and ∂²ℓ/∂η∂x.
  const fisherByEta = m * sumOver(nodes, (s, k) => (gene.N[k] * s) / (1 + t * s) ** 2);
  const fisherByAlpha = fisherByEta - fisher;
  const scoreByAlpha = sumOver(nodes, (s, k) => ((m * gene.N[k] * s - gene.S[k]) * share(s)) / (1 + t * s));
  return likelihood - (0.5 * (fisherByAlpha + (fisherByEta * scoreByAlpha) / observed)) / fisher;
}
