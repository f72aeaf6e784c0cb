import type { StrataModel } from './strata-design.js';

/** Newton stops after a step of η below this; the step is still taken, and W follows it to first order. */
const TOLERANCE = 1e-8;
const ITERATION_LIMIT = 60;
/** Longest step of η in one iteration: far from the optimum the quadratic model says little. */
const STEP_LIMIT = 2;
const HALVING_LIMIT = 30;
/** A pivot below this share of its diagonal element: the column says nothing that is not said already. */
const LEAST_PIVOT = 1e-12;

/** Measures of one gene, row by row of a model. */
export interface RowMeasures {
  /** nRows × K. */
  readonly S: Float64Array;
  /** N_k s_k, nRows × K. */
  readonly Ns: Float64Array;
  /** Σ y of each row. */
  readonly totals: Float64Array;
}

/**
 * The maximum-likelihood fit of one gene's log-linear model η_r = a_{level(r)} + x_r θ to the measures of its rows, at a given
 * dispersion. With r_k = 1/(1 + α m s_k) and m = e^η, a row has the score U = Σ S r − m Σ N s r, the observed information
 * J = m Σ N s r² + Σ S (r − r²) and the Fisher information W = m Σ N s r; the likelihood is concave in η.
 *
 * Newton on (a, θ) with the intercepts eliminated: their information is diagonal. Arrays are made once and hold the latest fit.
 */
export class LogLinearFit {
  /** Per row; meaningless where the row was not fitted. */
  readonly eta: Float64Array;
  /** W of each row; 0 where it was not fitted. */
  readonly fisher: Float64Array;
  readonly intercepts: Float64Array;
  readonly coefficients: Float64Array;
  iterations = 0;
  converged = false;
  private readonly score: Float64Array;
  private readonly observed: Float64Array;
  /** m Σ N s r², the slope of W in η. */
  private readonly fisherSlope: Float64Array;
  private readonly step: Float64Array;
  private readonly before: Float64Array;
  private readonly interceptStep: Float64Array;
  private readonly coefficientStep: Float64Array;
  private readonly levelWeight: Float64Array;
  private readonly levelScore: Float64Array;
  private readonly levelColumns: Float64Array;
  private readonly matrix: Float64Array;
  /** The matrix's diagonal before elimination: what a pivot is measured by. */
  private readonly diagonal: Float64Array;
  private readonly hasPivot: Uint8Array;

  constructor(
    readonly model: StrataModel,
    private readonly nodeSizeFactors: Float64Array,
  ) {
    const { nRows, nLevels, nColumns } = model;
    const rows = (): Float64Array => new Float64Array(nRows);
    [this.eta, this.fisher, this.score, this.observed] = [rows(), rows(), rows(), rows()];
    [this.fisherSlope, this.step, this.before] = [rows(), rows(), rows()];
    [this.intercepts, this.interceptStep] = [new Float64Array(nLevels), new Float64Array(nLevels)];
    [this.levelWeight, this.levelScore] = [new Float64Array(nLevels), new Float64Array(nLevels)];
    [this.coefficients, this.coefficientStep] = [new Float64Array(nColumns), new Float64Array(nColumns)];
    this.levelColumns = new Float64Array(nLevels * nColumns);
    this.matrix = new Float64Array(nColumns * nColumns);
    this.diagonal = new Float64Array(nColumns);
    this.hasPivot = new Uint8Array(nColumns);
  }

  /**
   * Fits from the present `intercepts` and `coefficients`.
   *
   * @param finite - 1 for the rows to fit: those with a finite η at the maximum
   */
  fit(measures: RowMeasures, alpha: number, finite: Uint8Array): void {
    const { eta, step, before, score } = this;
    const { nRows } = this.model;
    this.converged = false;
    this.iterations = 0;
    this.fisher.fill(0);
    this.linearPredictor();
    this.evaluate(measures, alpha, finite);
    while (this.iterations < ITERATION_LIMIT) {
      this.iterations++;
      const longest = this.newtonStep(finite);
      if (!Number.isFinite(longest)) return;
      if (longest < TOLERANCE) {
        this.move(1);
        for (let row = 0; row < nRows; row++) {
          if (finite[row] === 0) continue;
          eta[row] += step[row];
          this.fisher[row] += this.fisherSlope[row] * step[row];
        }
        this.converged = true;
        return;
      }
      let scale = Math.min(1, STEP_LIMIT / longest);
      let slope = 0;
      for (let row = 0; row < nRows; row++) if (finite[row] === 1) slope += score[row] * step[row];
      before.set(eta);
      this.move(scale);
      for (let halving = 0; ; halving++) {
        for (let row = 0; row < nRows; row++) if (finite[row] === 1) eta[row] = before[row] + scale * step[row];
        this.evaluate(measures, alpha, finite);
        let slopeThere = 0;
        for (let row = 0; row < nRows; row++) if (finite[row] === 1) slopeThere += score[row] * step[row];
        // The likelihood is concave: a slope that has turned and is steeper than before means the step went past the top.
        if (slopeThere >= -slope || halving === HALVING_LIMIT) break;
        scale /= 2;
        this.move(-scale);
      }
    }
  }

  /**
   * Fisher information of the last coefficient, all others being estimated: 1/variance.
   *
   * @param fisher - W of each row; rows with 0 take no part
   */
  informationOfLast(fisher: Float64Array): number {
    const { nColumns } = this.model;
    this.eliminate(fisher, null);
    const { matrix } = this;
    for (let j = 0; j < nColumns - 1; j++) this.sweep(j);
    const last = nColumns * nColumns - 1;
    return Math.max(matrix[last], 0);
  }

  /**
   * How much the last coefficient moves with the score of each row: x_r · J⁻¹ e, J being the observed information at the fit.
   *
   * @param influence - nRows; 0 where a row was not fitted
   */
  influenceOnLast(finite: Uint8Array, influence: Float64Array): void {
    const { nRows, nLevels, level, columns, nColumns } = this.model;
    const { matrix, levelWeight, levelColumns, coefficientStep, interceptStep, hasPivot } = this;
    this.eliminate(this.observed, finite);
    for (let j = 0; j < nColumns; j++) hasPivot[j] = this.sweep(j) ? 1 : 0;
    for (let j = nColumns - 1; j >= 0; j--) {
      let sum = j === nColumns - 1 ? 1 : 0;
      for (let k = j + 1; k < nColumns; k++) sum -= matrix[j * nColumns + k] * coefficientStep[k];
      coefficientStep[j] = hasPivot[j] === 1 ? sum / matrix[j * nColumns + j] : 0;
    }
    for (let l = 0; l < nLevels; l++) {
      let sum = 0;
      for (let c = 0; c < nColumns; c++) sum -= levelColumns[l * nColumns + c] * coefficientStep[c];
      interceptStep[l] = levelWeight[l] === 0 ? 0 : sum / levelWeight[l];
    }
    for (let row = 0; row < nRows; row++) {
      influence[row] = finite[row] === 0 ? 0 : interceptStep[level[row]];
      if (finite[row] === 0) continue;
      for (let c = 0; c < nColumns; c++) influence[row] += columns[row * nColumns + c] * coefficientStep[c];
    }
  }

  /** η of every row from the coefficients. */
  linearPredictor(): void {
    const { nRows, level, columns, nColumns } = this.model;
    for (let row = 0; row < nRows; row++) {
      let eta = this.intercepts[level[row]];
      for (let c = 0; c < nColumns; c++) eta += columns[row * nColumns + c] * this.coefficients[c];
      this.eta[row] = eta;
    }
  }

  /** Fisher information of one row at an η, and its slope. @param nodeExposures - N_k s_k, nRows × K */
  fisherAt(row: number, nodeExposures: Float64Array, alpha: number, eta: number): { fisher: number; slope: number } {
    const s = this.nodeSizeFactors;
    const K = s.length;
    const m = Math.exp(eta);
    const t = alpha * m;
    let [once, twice] = [0, 0];
    for (let k = 0; k < K; k++) {
      const r = 1 / (1 + t * s[k]);
      once += nodeExposures[row * K + k] * r;
      twice += nodeExposures[row * K + k] * r * r;
    }
    return { fisher: m * once, slope: m * twice };
  }

  private evaluate({ S, Ns }: RowMeasures, alpha: number, finite: Uint8Array): void {
    const s = this.nodeSizeFactors;
    const K = s.length;
    for (let row = 0; row < this.model.nRows; row++) {
      if (finite[row] === 0) continue;
      const m = Math.exp(this.eta[row]);
      const t = alpha * m;
      let [a, b, c, d] = [0, 0, 0, 0];
      for (let k = 0, at = row * K; k < K; k++, at++) {
        const r = 1 / (1 + t * s[k]);
        const sr = S[at] * r;
        const nr = Ns[at] * r;
        a += sr;
        b += sr * r;
        c += nr;
        d += nr * r;
      }
      this.score[row] = a - m * c;
      this.fisher[row] = m * c;
      this.fisherSlope[row] = m * d;
      const observed = m * d + (a - b);
      this.observed[row] = observed > 0 ? observed : m * c;
    }
  }

  /** Newton's direction; returns the longest step of an η, NaN when there is none. */
  private newtonStep(finite: Uint8Array): number {
    const { nRows, nLevels, level, columns, nColumns } = this.model;
    const { levelWeight, levelScore, levelColumns, matrix, hasPivot, coefficientStep, interceptStep, step } = this;
    this.eliminate(this.observed, finite);
    coefficientStep.fill(0);
    for (let row = 0; row < nRows; row++) {
      if (finite[row] === 0) continue;
      for (let c = 0; c < nColumns; c++) coefficientStep[c] += columns[row * nColumns + c] * this.score[row];
    }
    for (let l = 0; l < nLevels; l++) {
      if (levelWeight[l] === 0) continue;
      const ratio = levelScore[l] / levelWeight[l];
      for (let c = 0; c < nColumns; c++) coefficientStep[c] -= levelColumns[l * nColumns + c] * ratio;
    }
    // Gauss's elimination, right side alongside; a column without a pivot keeps its coefficient.
    for (let j = 0; j < nColumns; j++) {
      hasPivot[j] = this.sweep(j) ? 1 : 0;
      if (hasPivot[j] === 0) continue;
      for (let i = j + 1; i < nColumns; i++) {
        coefficientStep[i] -= (matrix[j * nColumns + i] / matrix[j * nColumns + j]) * coefficientStep[j];
      }
    }
    for (let j = nColumns - 1; j >= 0; j--) {
      if (hasPivot[j] === 0) {
        coefficientStep[j] = 0;
        continue;
      }
      let sum = coefficientStep[j];
      for (let k = j + 1; k < nColumns; k++) sum -= matrix[j * nColumns + k] * coefficientStep[k];
      coefficientStep[j] = sum / matrix[j * nColumns + j];
    }
    for (let l = 0; l < nLevels; l++) {
      let sum = levelScore[l];
      for (let c = 0; c < nColumns; c++) sum -= levelColumns[l * nColumns + c] * coefficientStep[c];
      interceptStep[l] = levelWeight[l] === 0 ? 0 : sum / levelWeight[l];
    }
    let longest = 0;
    for (let row = 0; row < nRows; row++) {
      if (finite[row] === 0) continue;
      let change = interceptStep[level[row]];
      for (let c = 0; c < nColumns; c++) change += columns[row * nColumns + c] * coefficientStep[c];
      step[row] = change;
      const size = Math.abs(change);
      if (!(size <= longest)) longest = size;
    }
    return longest;
  }

  /** Sums by level and, in `matrix`, the information of the columns with the intercepts eliminated. */
  private eliminate(weights: Float64Array, finite: Uint8Array | null): void {
    const { nRows, nLevels, level, columns, nColumns } = this.model;
    const { levelWeight, levelScore, levelColumns, matrix } = this;
    levelWeight.fill(0);
    levelScore.fill(0);
    levelColumns.fill(0);
    matrix.fill(0);
    for (let row = 0; row < nRows; row++) {
      if (finite !== null && finite[row] === 0) continue;
      const weight = weights[row];
      const l = level[row];
      levelWeight[l] += weight;
      levelScore[l] += this.score[row];
      for (let c = 0; c < nColumns; c++) {
        const weighted = weight * columns[row * nColumns + c];
        if (weighted === 0) continue;
        levelColumns[l * nColumns + c] += weighted;
        for (let e = c; e < nColumns; e++) matrix[c * nColumns + e] += weighted * columns[row * nColumns + e];
      }
    }
    for (let c = 0; c < nColumns; c++) this.diagonal[c] = matrix[c * nColumns + c];
    for (let l = 0; l < nLevels; l++) {
      if (levelWeight[l] === 0) continue;
      for (let c = 0; c < nColumns; c++) {
        const ratio = levelColumns[l * nColumns + c] / levelWeight[l];
        if (ratio === 0) continue;
        for (let e = c; e < nColumns; e++) matrix[c * nColumns + e] -= ratio * levelColumns[l * nColumns + e];
      }
    }
  }

  /** Eliminates column j from those after it; false when it has no pivot. Upper triangle only. */
  private sweep(j: number): boolean {
    const { nColumns } = this.model;
    const { matrix } = this;
    const pivot = matrix[j * nColumns + j];
    if (!(pivot > LEAST_PIVOT * this.diagonal[j])) return false;
    for (let i = j + 1; i < nColumns; i++) {
      const factor = matrix[j * nColumns + i] / pivot;
      if (factor === 0) continue;
      for (let k = i; k < nColumns; k++) matrix[i * nColumns + k] -= factor * matrix[j * nColumns + k];
    }
    return true;
  }

  private move(scale: number): void {
    for (let l = 0; l < this.interceptStep.length; l++) this.intercepts[l] += scale * this.interceptStep[l];
    for (let c = 0; c < this.coefficientStep.length; c++) this.coefficients[c] += scale * this.coefficientStep[c];
  }
}
