import { factorCholesky, invertCholesky } from './cholesky.js';
import type { ComparisonCells, PlacedCounts } from './comparison-cells.js';
import { CLAMPED_RIDGE } from './glm-fit.js';

/** From this α on Σ log1p(αμ) is the logarithm of a product, whose rounding, 1e-16 a cell, is divided by α. */
const LEAST_PRODUCT_DISPERSION = 1e-3;
/** A product is turned into a logarithm before it can overflow. */
const MOST_PRODUCT = 1e200;

/** log1p(αμ)/α, or its limit μ. */
const costOf = (alpha: number, mu: number): number => (alpha > 0 ? Math.log1p(alpha * mu) / alpha : mu);

/**
 * Log-likelihood of one gene at given linear predictors of the rows, without terms that do not depend on the means:
 * Σ_i [y log μ − (y + 1/α) log1p(αμ)] with μ = max(s e^η, minMu); Σ [y log μ − μ] at α = 0. Rows that take no part add 0.
 */
export function logLikelihood(
  cells: ComparisonCells,
  gene: PlacedCounts,
  alpha: number,
  etas: Float64Array,
  minMu: number,
  active: Uint8Array | null = null,
): number {
  const { sizeFactors, rowBegin } = cells;
  let sum = 0;
  let product = 1;
  for (let row = 0; row < etas.length; row++) {
    if (active !== null && active[row] === 0) continue;
    const scale = Math.exp(etas[row]);
    const free = cells.firstAbove(row, scale, minMu);
    if (free > rowBegin[row]) sum -= (free - rowBegin[row]) * costOf(alpha, minMu);
    for (let place = free; place < rowBegin[row + 1]; place++) {
      const mu = sizeFactors[place] * scale;
      if (alpha < LEAST_PRODUCT_DISPERSION) sum -= costOf(alpha, mu);
      else {
        product *= 1 + alpha * mu;
        if (product > MOST_PRODUCT) {
          sum -= Math.log(product) / alpha;
          product = 1;
        }
      }
    }
  }
  if (product > 1) sum -= Math.log(product) / alpha;
  for (let k = 0; k < gene.length; k++) {
    const mu = Math.max(sizeFactors[gene.places[k]] * Math.exp(etas[gene.rows[k]]), minMu);
    sum += gene.counts[k] * (Math.log(mu) - Math.log1p(alpha * mu));
  }
  return sum;
}

/** Variances of the coefficients of one design. */
export class GlmVariance {
  private readonly weights: Float64Array;
  private readonly bread: Float64Array;
  private readonly meat: Float64Array;
  private readonly inverse: Float64Array;

  constructor(
    private readonly cells: ComparisonCells,
    private readonly rows: Float64Array,
    private readonly nCoefficients: number,
    private readonly minMu: number,
  ) {
    const p = nCoefficients;
    this.weights = new Float64Array(cells.design.nRows);
    this.bread = new Float64Array(p * p);
    this.meat = new Float64Array(p * p);
    this.inverse = new Float64Array(p * p);
  }

  /**
   * Variance of coefficient c from the Fisher information M = Xᵀ W X at the means s e^η. After a clamped fit it is
   * (H M H)_cc with H = (M + 1e-6 I)⁻¹, the means without the clamp, as PyDESeq2's Wald test has it.
   */
  fisher(alpha: number, etas: Float64Array, c: number): number {
    const { cells, weights, bread, inverse, nCoefficients: p } = this;
    const { sizeFactors, rowBegin } = cells;
    for (let row = 0; row < weights.length; row++) {
      const scale = Math.exp(etas[row]);
      let weight = 0;
      for (let place = rowBegin[row]; place < rowBegin[row + 1]; place++) {
        const mu = sizeFactors[place] * scale;
        weight += mu / (1 + alpha * mu);
      }
      weights[row] = weight;
    }
    addOuter(bread.fill(0), this.rows, weights, p);
    if (this.minMu === 0) {
      factorCholesky(bread, p);
      invertCholesky(bread, p, inverse);
      return inverse[c * p + c];
    }
    const information = this.meat;
    information.set(bread);
    for (let d = 0; d < p; d++) bread[d * p + d] += CLAMPED_RIDGE;
    factorCholesky(bread, p);
    invertCholesky(bread, p, inverse);
    return quadraticForm(information, inverse, c, p);
  }

  /**
   * Sandwich variance (A⁻¹ B A⁻¹)_cc: B = Σ u_i² x xᵀ, with u_i the cell's share of the estimating equation, and A minus the
   * equation's derivative. u = (y − μ)/(1 + αμ) and −u' = μ(1 + αy)/(1 + αμ)²; of a clamped cell u = w (z − η), −u' = w.
   *
   * @source White 1982, Econometrica 50:1; without a clamp the HC0 of statsmodels' GLM
   */
  robust(gene: PlacedCounts, alpha: number, etas: Float64Array, c: number): number {
    const { cells, weights, bread, meat, inverse, minMu, nCoefficients: p } = this;
    const { sizeFactors, rowBegin, logSums } = cells;
    const squares = new Float64Array(weights.length);
    const scales = etas.map(Math.exp);
    const clampedWeight = minMu / (1 + alpha * minMu);
    const logMin = Math.log(minMu);
    for (let row = 0; row < weights.length; row++) {
      const free = cells.firstAbove(row, scales[row], minMu);
      let [weight, square] = [0, 0];
      for (let place = rowBegin[row]; place < free; place++) {
        const u = clampedWeight * (logMin - (logSums[place + 1] - logSums[place]) - 1 - etas[row]);
        weight += clampedWeight;
        square += u * u;
      }
      for (let place = free; place < rowBegin[row + 1]; place++) {
        const mu = sizeFactors[place] * scales[row];
        const r = 1 / (1 + alpha * mu);
        weight += mu * r * r;
        square += mu * r * mu * r;
      }
      weights[row] = weight;
      squares[row] = square;
    }
    for (let k = 0; k < gene.length; k++) {
      const [row, y] = [gene.rows[k], gene.counts[k]];
      const s = sizeFactors[gene.places[k]];
      const mu = s * scales[row];
      if (mu < minMu) {
        const atZero = clampedWeight * (logMin - Math.log(s) - 1 - etas[row]);
        const u = atZero + y / (1 + alpha * minMu);
        squares[row] += u * u - atZero * atZero;
      } else {
        const r = 1 / (1 + alpha * mu);
        weights[row] += alpha * y * mu * r * r;
        squares[row] += y * (y - 2 * mu) * r * r;
      }
    }
    addOuter(bread.fill(0), this.rows, weights, p);
    addOuter(meat.fill(0), this.rows, squares, p);
    if (minMu > 0) for (let d = 0; d < p; d++) bread[d * p + d] += CLAMPED_RIDGE;
    factorCholesky(bread, p);
    invertCholesky(bread, p, inverse);
    return quadraticForm(meat, inverse, c, p);
  }
}

/** Adds Σ_rows weight x xᵀ to the lower triangle. */
export function addOuter(sum: Float64Array, rows: Float64Array, weights: Float64Array, p: number): void {
  for (let row = 0; row < weights.length; row++) {
    const at = row * p;
    for (let c = 0; c < p; c++) {
      const wx = weights[row] * rows[at + c];
      if (wx === 0) continue;
      for (let d = 0; d <= c; d++) sum[c * p + d] += wx * rows[at + d];
    }
  }
}

/** (H M H)_cc of symmetric H and M, of M the lower triangle. */
function quadraticForm(m: Float64Array, h: Float64Array, c: number, p: number): number {
  let sum = 0;
  for (let d = 0; d < p; d++) {
    for (let e = 0; e <= d; e++) sum += (d === e ? 1 : 2) * h[c * p + d] * m[d * p + e] * h[c * p + e];
  }
  return sum;
}
