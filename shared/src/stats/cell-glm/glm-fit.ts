import { factorCholesky, solveCholesky } from './cholesky.js';
import type { ComparisonCells, PlacedCounts } from './comparison-cells.js';

/** Newton stops when the log-likelihood promises to grow by less than this, and takes that last step too. */
const DECREMENT_TOLERANCE = 1e-9;
const NEWTON_LIMIT = 100;
/** Longest step of any linear predictor. */
const STEP_LIMIT = 3;
/** A step is halved while the slope along it turns downwards by more than this share of what it was. */
const OVERSHOOT = 0.5;

/** The ridge on every coefficient of a clamped fit, as DESeq2 and PyDESeq2 have it. */
export const CLAMPED_RIDGE = 1e-6;
/** A clamped fit stands still when no coefficient moves by more than this. */
const CLAMPED_TOLERANCE = 1e-9;
const CLAMPED_LIMIT = 1000;
/** A coefficient beyond this has run away (PyDESeq2's bound). */
const CLAMPED_MOST = 30;

/** The coefficients of one gene; `coefficients` is overwritten by the next fit of the same model. */
export interface GlmFit {
  readonly coefficients: Float64Array;
  readonly iterations: number;
  readonly converged: boolean;
}

/**
 * Negative binomial regression with log link of one gene's counts, μ_i = s_i exp(x_i β), at a given dispersion α (0 is the
 * Poisson model), by sums over cells. Zeros cost one division a cell and iteration, no logarithm and no exponential.
 *
 * Without a clamp (`minMu` 0): the maximum of the likelihood, by Newton's steps. It is concave in β, so there is one; where
 * a covariate's level has no counts, its coefficient runs off to −∞ until nothing is left to gain.
 *
 * With a clamp: the fixed point of iteratively reweighted least squares with means max(s e^η, minMu) in weights and working
 * response and a ridge of 1e-6, iterated until it stands still.
 *
 * @source Love, Huber & Anders 2014, Genome Biology 15:550, equations 1 and 2; the clamp is DESeq2's `minmu`
 */
export class CellGlm {
  /** η, e^η and three sums of each row. */
  private readonly etas: Float64Array;
  private readonly scales: Float64Array;
  private readonly scores: Float64Array;
  private readonly weights: Float64Array;
  private readonly coefficients: Float64Array;
  private readonly previous: Float64Array;
  private readonly matrix: Float64Array;
  private readonly vector: Float64Array;
  /** Decomposition of Σ_i x x', for the start of a clamped fit. */
  private readonly gram: Float64Array | null = null;

  /**
   * @param rows - design at the distinct rows of `cells`, nRows × p
   * @param minMu - least mean; 0 for none
   */
  constructor(
    private readonly cells: ComparisonCells,
    private readonly rows: Float64Array,
    readonly nCoefficients: number,
    readonly minMu: number,
  ) {
    const { nRows } = cells.design;
    this.etas = new Float64Array(nRows);
    this.scales = new Float64Array(nRows);
    this.scores = new Float64Array(nRows);
    this.weights = new Float64Array(nRows);
    this.coefficients = new Float64Array(nCoefficients);
    this.previous = new Float64Array(nCoefficients);
    this.matrix = new Float64Array(nCoefficients * nCoefficients);
    this.vector = new Float64Array(nCoefficients);
    if (minMu > 0) {
      for (let row = 0; row < nRows; row++) this.weights[row] = cells.cellsOf(row);
      this.crossProducts(null);
      factorCholesky(this.matrix, nCoefficients);
      this.gram = this.matrix.slice();
    }
  }

  /**
   * @param start - coefficients to start an unclamped fit from, and a clamped one that runs away from its own start
   * @param active - 1 for the rows whose cells take part; null: all
   */
  fit(gene: PlacedCounts, alpha: number, start: ArrayLike<number>, active: Uint8Array | null = null): GlmFit {
    return this.minMu > 0 ? this.fitClamped(gene, alpha, start) : this.fitNewton(gene, alpha, start, active);
  }

  /** x β of every row; overwritten by the next fit. */
  linearPredictors(coefficients: ArrayLike<number>): Float64Array {
    const { rows, nCoefficients: p, etas } = this;
    for (let row = 0; row < etas.length; row++) {
      let eta = 0;
      for (let c = 0; c < p; c++) eta += rows[row * p + c] * coefficients[c];
      etas[row] = eta;
    }
    return etas;
  }

  private fitNewton(gene: PlacedCounts, alpha: number, start: ArrayLike<number>, active: Uint8Array | null): GlmFit {
    const { coefficients, previous, vector, matrix, nCoefficients: p } = this;
    coefficients.set(start);
    const step = new Float64Array(p);
    let fraction = 0;
    let promised = 0;
    for (let iteration = 1; iteration <= NEWTON_LIMIT; iteration++) {
      this.linearPredictors(coefficients);
      this.sumScores(gene, alpha, active);
      this.crossProducts(active);
      const slope = dot(step, vector);
      if (slope < -OVERSHOOT * promised && fraction > 1e-6) {
        fraction /= 2;
        for (let c = 0; c < p; c++) coefficients[c] = previous[c] + fraction * step[c];
        continue;
      }
      step.set(vector);
      factorCholesky(matrix, p);
      solveCholesky(matrix, p, step);
      promised = dot(step, vector);
      const converged = promised < DECREMENT_TOLERANCE;
      fraction = converged ? 1 : Math.min(1, STEP_LIMIT / this.longest(step, active));
      previous.set(coefficients);
      for (let c = 0; c < p; c++) coefficients[c] += fraction * step[c];
      if (converged) return { coefficients, iterations: iteration, converged };
    }
    return { coefficients, iterations: NEWTON_LIMIT, converged: false };
  }

  /** Per row: Σ (y − μ)/(1 + αμ) and Σ μ(1 + αy)/(1 + αμ)². */
  private sumScores(gene: PlacedCounts, alpha: number, active: Uint8Array | null): void {
    const { cells, etas, scales, scores, weights } = this;
    const { sizeFactors, rowBegin } = cells;
    for (let row = 0; row < scores.length; row++) {
      const scale = (scales[row] = Math.exp(etas[row]));
      let [score, weight] = [0, 0];
      if (active === null || active[row] === 1) {
        for (let place = rowBegin[row]; place < rowBegin[row + 1]; place++) {
          const mu = sizeFactors[place] * scale;
          const r = 1 / (1 + alpha * mu);
          const w = mu * r;
          score -= w;
          weight += w * r;
        }
      }
      scores[row] = score;
      weights[row] = weight;
    }
    for (let k = 0; k < gene.length; k++) {
      const row = gene.rows[k];
      const y = gene.counts[k];
      const mu = sizeFactors[gene.places[k]] * scales[row];
      const r = 1 / (1 + alpha * mu);
      scores[row] += y * r;
      weights[row] += alpha * y * mu * r * r;
    }
  }

  private fitClamped(gene: PlacedCounts, alpha: number, start: ArrayLike<number>): GlmFit {
    this.leastSquaresStart(gene);
    const fit = this.iterateClamped(gene, alpha);
    if (fit.converged) return fit;
    // The maximum without the clamp is not far from where the recursion stands still.
    this.fitNewton(gene, alpha, start, null);
    const again = this.iterateClamped(gene, alpha);
    return { ...again, iterations: fit.iterations + again.iterations };
  }

  private iterateClamped(gene: PlacedCounts, alpha: number): GlmFit {
    const { coefficients, previous, matrix, vector, nCoefficients: p } = this;
    for (let iteration = 1; iteration <= CLAMPED_LIMIT; iteration++) {
      this.linearPredictors(coefficients);
      this.sumWorkingResponses(gene, alpha);
      this.crossProducts(null);
      for (let c = 0; c < p; c++) matrix[c * p + c] += CLAMPED_RIDGE;
      factorCholesky(matrix, p);
      solveCholesky(matrix, p, vector);
      previous.set(coefficients);
      coefficients.set(vector);
      let moved = 0;
      for (let c = 0; c < p; c++) {
        moved = Math.max(moved, Math.abs(coefficients[c] - previous[c]));
        if (!(Math.abs(coefficients[c]) <= CLAMPED_MOST)) moved = Infinity;
      }
      if (moved < CLAMPED_TOLERANCE) return { coefficients, iterations: iteration, converged: true };
      if (moved === Infinity) return { coefficients, iterations: iteration, converged: false };
    }
    return { coefficients, iterations: CLAMPED_LIMIT, converged: false };
  }

  /** Least squares of log(y/s + 0.1) on the design, as DESeq2 starts. */
  private leastSquaresStart(gene: PlacedCounts): void {
    const { cells, rows, scores, coefficients, gram, nCoefficients: p } = this;
    const atZero = Math.log(0.1);
    for (let row = 0; row < scores.length; row++) scores[row] = cells.cellsOf(row) * atZero;
    for (let k = 0; k < gene.length; k++) {
      scores[gene.rows[k]] += Math.log(gene.counts[k] / cells.sizeFactors[gene.places[k]] + 0.1) - atZero;
    }
    coefficients.fill(0);
    for (let row = 0; row < scores.length; row++) {
      for (let c = 0; c < p; c++) coefficients[c] += rows[row * p + c] * scores[row];
    }
    solveCholesky(gram as Float64Array, p, coefficients);
  }

  /** Per row: Σ w z and Σ w, with w = μ/(1 + αμ), z = log(μ/s) + (y − μ)/μ and μ = max(s e^η, minMu). */
  private sumWorkingResponses(gene: PlacedCounts, alpha: number): void {
    const { cells, etas, scales, scores, weights, minMu } = this;
    const { sizeFactors, logSums, rowBegin } = cells;
    const clampedWeight = minMu / (1 + alpha * minMu);
    const logMin = Math.log(minMu);
    for (let row = 0; row < scores.length; row++) {
      const eta = etas[row];
      const scale = (scales[row] = Math.exp(eta));
      const begin = rowBegin[row];
      const free = cells.firstAbove(row, scale, minMu);
      let weight = 0;
      for (let place = free; place < rowBegin[row + 1]; place++) {
        const mu = sizeFactors[place] * scale;
        weight += mu / (1 + alpha * mu);
      }
      const nClamped = free - begin;
      const logs = logSums[free] - logSums[begin];
      scores[row] = weight * (eta - 1) + clampedWeight * (nClamped * (logMin - 1) - logs);
      weights[row] = weight + nClamped * clampedWeight;
    }
    for (let k = 0; k < gene.length; k++) {
      const row = gene.rows[k];
      const mu = Math.max(sizeFactors[gene.places[k]] * scales[row], minMu);
      scores[row] += gene.counts[k] / (1 + alpha * mu);
    }
  }

  /** matrix = Σ_rows weight x xᵀ (lower triangle), vector = Σ_rows score x. */
  private crossProducts(active: Uint8Array | null): void {
    const { rows, weights, scores, matrix, vector, nCoefficients: p } = this;
    matrix.fill(0);
    vector.fill(0);
    for (let row = 0; row < weights.length; row++) {
      if (active !== null && active[row] === 0) continue;
      const at = row * p;
      for (let c = 0; c < p; c++) {
        const x = rows[at + c];
        if (x === 0) continue;
        vector[c] += scores[row] * x;
        const wx = weights[row] * x;
        for (let d = 0; d <= c; d++) matrix[c * p + d] += wx * rows[at + d];
      }
    }
  }

  private longest(step: Float64Array, active: Uint8Array | null): number {
    const { rows, nCoefficients: p, weights } = this;
    let most = 0;
    for (let row = 0; row < weights.length; row++) {
      if (active !== null && active[row] === 0) continue;
      let length = 0;
      for (let c = 0; c < p; c++) length += rows[row * p + c] * step[c];
      most = Math.max(most, Math.abs(length));
    }
    return most;
  }
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};
