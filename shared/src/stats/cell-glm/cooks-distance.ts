import jstat from 'jstat';
import { factorCholesky, invertCholesky } from './cholesky.js';
import type { ComparisonCells, PlacedCounts } from './comparison-cells.js';
import { CLAMPED_RIDGE } from './glm-fit.js';
import { addOuter } from './glm-inference.js';

/** Rows of the design with fewer cells are passed over (DESeq2). */
const LEAST_REPLICATES = 3;
/** A gene is no outlier if as many cells have larger counts than the most influential one (DESeq2). */
const LARGER_COUNTS = 3;
/** Least robust dispersion (DESeq2). */
const LEAST_DISPERSION = 0.04;
const QUANTILE = 0.99;
/** Share trimmed from both ends, and the factor that makes up for trimmed squares, by number of cells (DESeq2). */
const TRIMMING = [
  { least: 23.5, share: 1 / 8, scale: 1.51 },
  { least: 3.5, share: 1 / 4, scale: 1.86 },
  { least: 0, share: 1 / 3, scale: 2.04 },
] as const;

/** The most influential cell of one gene. */
export interface CooksMaximum {
  /** Largest Cook's distance over the cells of rows with at least three; NaN without such rows. */
  readonly distance: number;
  /** Beyond the cutoff, and fewer than three cells have larger counts. */
  readonly isOutlier: boolean;
}

/**
 * F quantile 0.99 with p and cells − p degrees of freedom, beyond which a cell is too influential.
 *
 * @returns within 4e-8 of scipy's, relative; NaN without residual degrees of freedom
 */
export function cooksCutoff(nCoefficients: number, nCells: number): number {
  return nCells > nCoefficients ? jstat.centralF.inv(QUANTILE, nCoefficients, nCells - nCoefficients) : NaN;
}

/**
 * Cook's distances of one comparison, D_i = (y − μ)²/(μ + α_r μ²) · h/(1 − h)² / p, with leverages h of the fit's weights and
 * α_r a dispersion from trimmed variances, at least 0.04, that an outlier does not raise.
 *
 * @source DESeq2 1.38.3, calculateCooksDistance, robustMethodOfMomentsDisp, recordMaxCooks; PyDESeq2 0.5.4
 */
export class CooksDistances {
  readonly cutoff: number;
  private readonly weights: Float64Array;
  private readonly information: Float64Array;
  private readonly inverse: Float64Array;
  private readonly hasCount: Uint8Array;
  private readonly isReplicated: boolean[];

  constructor(
    private readonly cells: ComparisonCells,
    private readonly minMu: number,
  ) {
    const { nRows, nCells, nCoefficients: p } = cells.design;
    this.cutoff = cooksCutoff(p, nCells);
    this.weights = new Float64Array(nRows);
    this.information = new Float64Array(p * p);
    this.inverse = new Float64Array(p * p);
    this.hasCount = new Uint8Array(nCells);
    this.isReplicated = Array.from({ length: nRows }, (_, row) => cells.cellsOf(row) >= LEAST_REPLICATES);
  }

  /** @param etas - linear predictor of each row at the fit with dispersion alpha */
  maximum(gene: PlacedCounts, etas: Float64Array, alpha: number): CooksMaximum {
    if (!this.isReplicated.includes(true)) return { distance: NaN, isOutlier: false };
    const { cells, isReplicated, hasCount, minMu } = this;
    const { sizeFactors, rowBegin, design } = cells;
    const p = design.nCoefficients;
    const robust = this.robustDispersion(gene);
    const scales = etas.map(Math.exp);
    const leverages = this.leverages(scales, alpha);
    let [most, atCount] = [-1, 0];
    const consider = (place: number, row: number, y: number): void => {
      const mu = sizeFactors[place] * scales[row];
      const clamped = Math.max(mu, minMu);
      const leverage = (leverages[row] * clamped) / (1 + alpha * clamped);
      const distance = ((y - mu) ** 2 / (mu * (1 + robust * mu)) / p) * (leverage / (1 - leverage) ** 2);
      if (distance > most) [most, atCount] = [distance, y];
    };
    for (let k = 0; k < gene.length; k++) {
      hasCount[gene.places[k]] = 1;
      if (isReplicated[gene.rows[k]]) consider(gene.places[k], gene.rows[k], gene.counts[k]);
    }
    for (let row = 0; row < scales.length; row++) {
      if (!isReplicated[row]) continue;
      // Of a row's cells without a count the one with the largest mean is the most influential.
      let place = rowBegin[row + 1] - 1;
      while (place >= rowBegin[row] && hasCount[place] === 1) place--;
      if (place >= rowBegin[row]) consider(place, row, 0);
    }
    let larger = 0;
    for (let k = 0; k < gene.length; k++) {
      hasCount[gene.places[k]] = 0;
      if (gene.counts[k] > atCount) larger++;
    }
    return { distance: most, isOutlier: most > this.cutoff && larger < LARGER_COUNTS };
  }

  /** x (Xᵀ W X)⁻¹ xᵀ of each row. */
  private leverages(scales: Float64Array, alpha: number): Float64Array {
    const { cells, weights, information, inverse, minMu } = this;
    const { sizeFactors, rowBegin, design } = cells;
    const { rows, nCoefficients: p } = design;
    const clampedWeight = minMu / (1 + alpha * minMu);
    for (let row = 0; row < weights.length; row++) {
      const free = cells.firstAbove(row, scales[row], minMu);
      let weight = (free - rowBegin[row]) * clampedWeight;
      for (let place = free; place < rowBegin[row + 1]; place++) {
        const mu = sizeFactors[place] * scales[row];
        weight += mu / (1 + alpha * mu);
      }
      weights[row] = weight;
    }
    addOuter(information.fill(0), rows, weights, p);
    if (minMu > 0) for (let c = 0; c < p; c++) information[c * p + c] += CLAMPED_RIDGE;
    factorCholesky(information, p);
    invertCholesky(information, p, inverse);
    return weights.map((_, row) => {
      let sum = 0;
      for (let c = 0; c < p; c++) {
        for (let d = 0; d < p; d++) sum += rows[row * p + c] * inverse[c * p + d] * rows[row * p + d];
      }
      return sum;
    });
  }

  /** (v − m)/m² with the mean m of y/s over all cells and the largest trimmed variance v of a replicated row. */
  private robustDispersion(gene: PlacedCounts): number {
    const { cells, isReplicated } = this;
    const normalised: number[][] = isReplicated.map(() => []);
    let total = 0;
    for (let k = 0; k < gene.length; k++) {
      const q = gene.counts[k] / cells.sizeFactors[gene.places[k]];
      normalised[gene.rows[k]].push(q);
      total += q;
    }
    const mean = total / cells.design.nCells;
    let variance = 0;
    for (let row = 0; row < normalised.length; row++) {
      if (isReplicated[row]) variance = Math.max(variance, trimmedVariance(normalised[row], cells.cellsOf(row)));
    }
    return Math.max((variance - mean) / (mean * mean), LEAST_DISPERSION);
  }
}

/** Trimmed mean of squared distances from the trimmed mean; of n values those not given are 0. */
export function trimmedVariance(values: readonly number[], n: number): number {
  const { share, scale } = TRIMMING.find(({ least }) => n >= least) ?? TRIMMING[2];
  const centre = trimmedMean(values, 0, n, share);
  const squares = values.map((value) => (value - centre) ** 2);
  return scale * trimmedMean(squares, centre * centre, n, share);
}

/** Mean of n values without the least and the largest ⌊n · share⌋; those not given are `other`. */
function trimmedMean(values: readonly number[], other: number, n: number, share: number): number {
  const sorted = Float64Array.from(values).sort();
  const nOther = n - values.length;
  let below = 0;
  while (below < sorted.length && sorted[below] < other) below++;
  const cut = Math.floor(n * share);
  const [from, to] = [cut, n - cut];
  let sum = Math.max(0, Math.min(to, below + nOther) - Math.max(from, below)) * other;
  for (let i = 0; i < sorted.length; i++) {
    const place = i < below ? i : i + nOther;
    if (place >= from && place < to) sum += sorted[i];
  }
  return sum / (to - from);
}
