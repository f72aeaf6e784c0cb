import { INTERCEPT_PRIOR_SCALE } from './apeglm-prior.js';

/** One gene under any design, by its cells. */
export interface DirectShrinkage {
  readonly counts: ArrayLike<number>;
  readonly sizeFactors: ArrayLike<number>;
  /** p columns, each with a value for every cell; the means are s_i exp(Σ_c design[c][i] β_c). */
  readonly design: readonly ArrayLike<number>[];
  /** α, positive. */
  readonly dispersion: number;
  /** Column whose coefficient has the Cauchy prior; the others have the normal one. */
  readonly coefficient: number;
  /** c of the Cauchy prior, natural log. */
  readonly priorScale: number;
  /** σ of the normal prior of the other coefficients, natural log; 15 as in apeglm. */
  readonly otherScale?: number;
}

export interface DirectMode {
  /** All p coefficients at the mode, natural log. */
  readonly coefficients: readonly number[];
  /** Posterior standard deviation of the shrunken one; NaN where the Hessian is not positive definite. */
  readonly standardError: number;
  readonly logPosterior: number;
  readonly converged: boolean;
}

const ITERATION_LIMIT = 2000;
const TOLERANCE = 1e-11;
const STEP_LIMIT = 2;

/**
 * Log posterior of the coefficients up to a constant: Σ_i [y η − (y + 1/α) log1p(α s e^η)] − Σ β²/2σ² − log(1 + β²/c²).
 * Cost: one pass over the cells.
 */
export function logPosteriorDirect(model: DirectShrinkage, coefficients: readonly number[]): number {
  const { counts, sizeFactors, dispersion, coefficient, priorScale, otherScale = INTERCEPT_PRIOR_SCALE } = model;
  let sum = 0;
  for (let i = 0; i < counts.length; i++) {
    const eta = linearPredictor(model, coefficients, i);
    sum += counts[i] * eta - (counts[i] + 1 / dispersion) * Math.log1p(dispersion * sizeFactors[i] * Math.exp(eta));
  }
  for (const [c, beta] of coefficients.entries()) {
    sum -= c === coefficient ? Math.log1p((beta / priorScale) ** 2) : 0.5 * (beta / otherScale) ** 2;
  }
  return sum;
}

/**
 * The mode of apeGLM's posterior for any design, by sums over cells: for designs that measures do not cover, and the
 * judge of those that they do.
 *
 * From every start Newton's steps, or where they do not climb, steps with the prior's curvature majorised by
 * 2/(c² + β²), which always do; the highest mode is kept. Cost: about 20 passes over the cells a start, each p² sums.
 *
 * @param starts - values of the shrunken coefficient to start from, the others at their best for it: give the
 *   maximum-likelihood one and 0, between which all modes lie
 */
export function shrinkCoefficientDirect(model: DirectShrinkage, starts: readonly number[]): DirectMode {
  const modes = starts.map((start) => climb(model, profileCoefficientDirect(model, start).coefficients));
  return modes.reduce((best, mode) => (mode.logPosterior > best.logPosterior ? mode : best));
}

/**
 * The other coefficients at their best for one value of the shrunken one, and the log posterior there. `standardError` is
 * NaN.
 */
export function profileCoefficientDirect(model: DirectShrinkage, beta: number): DirectMode {
  const { counts, sizeFactors, design, coefficient } = model;
  const column = design[coefficient];
  const others = design.filter((_, c) => c !== coefficient);
  const moved = Float64Array.from(sizeFactors, (s, i) => s * Math.exp(beta * column[i]));
  let [total, exposure] = [0, 0];
  for (let i = 0; i < counts.length; i++) {
    total += counts[i];
    exposure += moved[i];
  }
  // The first of the others is taken for the intercept; any start leads to the one maximum.
  const start = others.map((_, c) => (c === 0 ? Math.log(Math.max(total, 0.1) / exposure) : 0));
  const mode = climb({ ...model, sizeFactors: moved, design: others, coefficient: NONE }, start);
  const coefficients = [...mode.coefficients];
  coefficients.splice(coefficient, 0, beta);
  return { ...mode, coefficients, standardError: NaN, logPosterior: logPosteriorDirect(model, coefficients) };
}

/** No coefficient is shrunken: a column that no design has. */
const NONE = -1;

const linearPredictor = (model: DirectShrinkage, coefficients: readonly number[], i: number): number =>
  coefficients.reduce((sum, beta, c) => sum + beta * model.design[c][i], 0);

function climb(model: DirectShrinkage, start: readonly number[]): DirectMode {
  let at = [...start];
  let height = logPosteriorDirect(model, at);
  let converged = false;
  for (let iteration = 0; iteration < ITERATION_LIMIT && !converged; iteration++) {
    const { gradient, information, curvature, majorised } = derivatives(model, at);
    let moved = false;
    for (const prior of [curvature, majorised]) {
      const step = solve(withPrior(information, model.coefficient, prior), gradient);
      if (step === null) continue;
      const longest = Math.max(...step.map(Math.abs));
      const full = Math.min(1, STEP_LIMIT / longest);
      for (let fraction = full; fraction > 1e-3 * full; fraction /= 2) {
        const next = at.map((beta, c) => beta + fraction * step[c]);
        const nextHeight = logPosteriorDirect(model, next);
        converged = longest < TOLERANCE * Math.min(1, model.priorScale);
        if (!converged && nextHeight <= height - 1e-13 * Math.abs(height)) continue;
        [at, height, moved] = [next, nextHeight, true];
        break;
      }
      if (moved) break;
    }
    if (!moved) break;
  }
  const { information, curvature } = derivatives(model, at);
  const unit = at.map((_, c) => (c === model.coefficient ? 1 : 0));
  const column = solve(withPrior(information, model.coefficient, curvature), unit);
  const standardError = column === null || model.coefficient === NONE ? NaN : Math.sqrt(column[model.coefficient]);
  return { coefficients: at, standardError, logPosterior: height, converged };
}

/** Gradient, observed information with the normal priors, and the Cauchy prior's curvature, true and majorised. */
function derivatives(model: DirectShrinkage, at: readonly number[]) {
  const { counts, sizeFactors, design, dispersion, coefficient, priorScale } = model;
  const { otherScale = INTERCEPT_PRIOR_SCALE } = model;
  const gradient: number[] = at.map((beta, c) =>
    c === coefficient ? (-2 * beta) / (priorScale ** 2 + beta ** 2) : -beta / otherScale ** 2,
  );
  const information = at.map((_, c) =>
    Array.from(at, (_beta, d) => (c === d && c !== coefficient ? otherScale ** -2 : 0)),
  );
  for (let i = 0; i < counts.length; i++) {
    const mean = sizeFactors[i] * Math.exp(linearPredictor(model, at, i));
    const denominator = 1 + dispersion * mean;
    const residual = (counts[i] - mean) / denominator;
    const weight = (mean * (1 + dispersion * counts[i])) / denominator ** 2;
    for (let c = 0; c < at.length; c++) {
      gradient[c] += design[c][i] * residual;
      for (let d = 0; d < at.length; d++) information[c][d] += weight * design[c][i] * design[d][i];
    }
  }
  const beta2 = at[coefficient] ** 2;
  const c2 = priorScale ** 2;
  return {
    gradient,
    information,
    curvature: (2 * (c2 - beta2)) / (c2 + beta2) ** 2,
    majorised: 2 / (c2 + beta2),
  };
}

const withPrior = (information: readonly (readonly number[])[], coefficient: number, curvature: number): number[][] =>
  information.map((row, c) => row.map((value, d) => (c === d && c === coefficient ? value + curvature : value)));

/** x of matrix · x = b by Cholesky's decomposition, which is overwritten on matrix; null where matrix is not positive definite. */
function solve(matrix: number[][], b: readonly number[]): number[] | null {
  const p = b.length;
  for (let c = 0; c < p; c++) {
    for (let d = 0; d <= c; d++) {
      let sum = matrix[c][d];
      for (let k = 0; k < d; k++) sum -= matrix[c][k] * matrix[d][k];
      if (c === d && !(sum > 0)) return null;
      matrix[c][d] = c === d ? Math.sqrt(sum) : sum / matrix[d][d];
    }
  }
  const x = [...b];
  for (let c = 0; c < p; c++) {
    for (let k = 0; k < c; k++) x[c] -= matrix[c][k] * x[k];
    x[c] /= matrix[c][c];
  }
  for (let c = p - 1; c >= 0; c--) {
    for (let k = c + 1; k < p; k++) x[c] -= matrix[k][c] * x[k];
    x[c] /= matrix[c][c];
  }
  return x;
}
