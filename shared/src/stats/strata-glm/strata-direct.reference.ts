/** Cells of one gene in a comparison with covariates. */
export interface DirectComparison {
  readonly counts: ArrayLike<number>;
  readonly sizeFactors: ArrayLike<number>;
  /** One row a cell, its first column 1. */
  readonly design: readonly (readonly number[])[];
}

export interface DirectGlm {
  readonly coefficients: readonly number[];
  /** Inverse Fisher information, diagonal. */
  readonly variances: readonly number[];
  /** White's HC0 of the last coefficient. */
  readonly robustVariance: number;
  /** Without terms that depend on the counts alone. */
  readonly logLikelihood: number;
}

/**
 * Maximum-likelihood fit of a negative binomial with log link by Levenberg's steps over cells: the slow twin of the joint fit
 * from measures. Where an estimate is infinite it stops far out, with the log-likelihood of the limit.
 */
export function fitGlmDirect({ counts, sizeFactors, design }: DirectComparison, alpha: number): DirectGlm {
  const p = design[0].length;
  const n = counts.length;
  const etaOf = (beta: readonly number[], i: number): number => design[i].reduce((sum, x, c) => sum + x * beta[c], 0);
  const logLikelihood = (beta: readonly number[]): number => {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      const eta = etaOf(beta, i);
      const mu = sizeFactors[i] * Math.exp(eta);
      sum += (counts[i] > 0 ? counts[i] * eta : 0) - (counts[i] + 1 / alpha) * Math.log1p(alpha * mu);
    }
    return sum;
  };
  const matrices = (beta: readonly number[]): { score: number[]; observed: number[][]; fisher: number[][] } => {
    const zero = (): number[][] => Array.from({ length: p }, () => new Array<number>(p).fill(0));
    const [score, observed, fisher] = [new Array<number>(p).fill(0), zero(), zero()];
    for (let i = 0; i < n; i++) {
      const mu = sizeFactors[i] * Math.exp(etaOf(beta, i));
      const u = (counts[i] - mu) / (1 + alpha * mu);
      const w = mu / (1 + alpha * mu);
      const j = (mu * (1 + alpha * counts[i])) / (1 + alpha * mu) ** 2;
      for (let a = 0; a < p; a++) {
        score[a] += design[i][a] * u;
        for (let b = 0; b < p; b++) {
          observed[a][b] += design[i][a] * design[i][b] * j;
          fisher[a][b] += design[i][a] * design[i][b] * w;
        }
      }
    }
    return { score, observed, fisher };
  };
  let total = 0;
  let exposure = 0;
  for (let i = 0; i < n; i++) [total, exposure] = [total + counts[i], exposure + sizeFactors[i]];
  let beta = new Array<number>(p).fill(0);
  beta[0] = Math.log(Math.max(total, 0.1) / exposure);
  let best = logLikelihood(beta);
  let damping = 1e-14;
  for (let iteration = 0; iteration < 500; iteration++) {
    const { score, observed } = matrices(beta);
    const step = solve(
      observed.map((row, a) => row.map((x, b) => (a === b ? x * (1 + damping) + 1e-300 : x))),
      score,
    );
    const longest = Math.max(...step.map(Math.abs));
    const scale = Math.min(1, 2 / longest);
    const next = beta.map((x, c) => x + scale * step[c]);
    const value = logLikelihood(next);
    if (value >= best - 1e-12 * Math.abs(best)) {
      beta = next;
      best = Math.max(best, value);
      damping = Math.max(damping / 10, 1e-14);
      if (longest < 1e-10 || Math.max(...beta.map(Math.abs)) > 200) break;
    } else damping *= 100;
  }
  const { fisher, observed } = matrices(beta);
  const influence = solve(
    observed,
    beta.map((_, c) => (c === p - 1 ? 1 : 0)),
  );
  let robustVariance = 0;
  for (let i = 0; i < n; i++) {
    const mu = sizeFactors[i] * Math.exp(etaOf(beta, i));
    const moved = design[i].reduce((sum, x, c) => sum + x * influence[c], 0);
    robustVariance += ((moved * (counts[i] - mu)) / (1 + alpha * mu)) ** 2;
  }
  const variances = beta.map(
    (_, c) =>
      solve(
        fisher,
        beta.map((_unused, a) => (a === c ? 1 : 0)),
      )[c],
  );
  return { coefficients: beta, variances, robustVariance, logLikelihood: best };
}

/** Gauss's elimination with pivoting. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const n = right.length;
  const rows = matrix.map((row, i) => [...row, right[i]]);
  for (let j = 0; j < n; j++) {
    const pivot = rows.reduce((at, row, i) => (i > j && Math.abs(row[j]) > Math.abs(rows[at][j]) ? i : at), j);
    [rows[j], rows[pivot]] = [rows[pivot], rows[j]];
    for (let i = j + 1; i < n; i++) {
      const factor = rows[i][j] / rows[j][j];
      for (let k = j; k <= n; k++) rows[i][k] -= factor * rows[j][k];
    }
  }
  const x = new Array<number>(n).fill(0);
  for (let j = n - 1; j >= 0; j--) {
    let sum = rows[j][n];
    for (let k = j + 1; k < n; k++) sum -= rows[j][k] * x[k];
    x[j] = sum / rows[j][j];
  }
  return x;
}
