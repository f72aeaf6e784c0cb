import { DENSE_COUNTS } from '../count-histogram.js';
import { largeCountSlope } from '../count-terms.js';
import { highestMaximum } from '../highest-maximum.js';
import { priorSlope, type LogNormalPrior } from '../log-normal-prior.js';
import { factorCholesky, invertCholesky } from './cholesky.js';
import type { ComparisonCells, PlacedCounts } from './comparison-cells.js';
import { addOuter } from './glm-inference.js';

/** Points of log α between which the slope is taken to cross zero at most once. */
const POINTS = 16;
/** Below this α·μ the logarithm's series is used. */
const SERIES_BOUND = 0.01;
/** A slope below this counts as none. */
const LEAST_SLOPE = 1e-5;
/** A product of factors 1 + αμ is turned into a logarithm before it can overflow: each is below 1e100. */
const MOST_PRODUCT = 1e200;

/**
 * The Cox–Reid adjusted log-likelihood of one gene's log α, x, with the means held fixed, by its slope:
 *
 * dℓ/dx = Σ_i [log1p(αμ)/α − (1 + αy) w] + Σ_i Σ_{l<y} αl/(1 + αl) + ½ α tr(M⁻¹ Xᵀ W² X), w = μ/(1 + αμ), M = Xᵀ W X.
 *
 * @source Love, Huber & Anders 2014, Genome Biology 15:550, methods (Cox & Reid 1987)
 */
export class CellDispersionProfile {
  private readonly points: Float64Array;
  /** Per row: first place that is not clamped. */
  private readonly free: Uint32Array;
  private readonly weights: Float64Array;
  private readonly squares: Float64Array;
  private readonly information: Float64Array;
  private readonly derivative: Float64Array;
  private readonly inverse: Float64Array;
  /** C_l at l: cells with a count beyond l, for counts up to 64. */
  private readonly above = new Float64Array(DENSE_COUNTS);
  private largest = 0;
  private readonly large: number[] = [];
  private gene: PlacedCounts;
  private scales: Float64Array;
  private leastMean = 0;

  /** @param bounds - of α */
  constructor(
    private readonly cells: ComparisonCells,
    bounds: { readonly least: number; readonly most: number },
  ) {
    const { nRows, nCoefficients: p } = cells.design;
    const [low, high] = [Math.log(bounds.least), Math.log(bounds.most)];
    this.points = Float64Array.from({ length: POINTS }, (_, a) => low + ((high - low) * a) / (POINTS - 1));
    this.free = new Uint32Array(nRows);
    this.weights = new Float64Array(nRows);
    this.squares = new Float64Array(nRows);
    this.information = new Float64Array(p * p);
    this.derivative = new Float64Array(p * p);
    this.inverse = new Float64Array(p * p);
    this.gene = cells.place([], []);
    this.scales = new Float64Array(nRows);
  }

  /**
   * Takes a gene's counts and means for the methods below; both stay the caller's and must not change meanwhile.
   *
   * @param scales - mean of each row's cells over their size factors
   * @param leastMean - means are at least this
   */
  load(gene: PlacedCounts, scales: Float64Array, leastMean: number): void {
    const { cells, free, above, large } = this;
    this.gene = gene;
    this.scales = scales;
    this.leastMean = leastMean;
    for (let row = 0; row < free.length; row++) free[row] = cells.firstAbove(row, scales[row], leastMean);
    above.fill(0);
    large.length = 0;
    this.largest = 0;
    for (let k = 0; k < gene.length; k++) {
      const y = gene.counts[k];
      // A count of y lies beyond l = 0 … y − 1; l = 0 adds nothing.
      above[Math.min(y, DENSE_COUNTS) - 1]++;
      this.largest = Math.max(this.largest, Math.min(y, DENSE_COUNTS) - 1);
      if (y > DENSE_COUNTS) large.push(y);
    }
    for (let l = this.largest - 1; l >= 0; l--) above[l] += above[l + 1];
  }

  /** α at the highest maximum between the bounds, of the likelihood alone or with a prior. */
  maximise(prior?: LogNormalPrior): number {
    const { points } = this;
    const slope = this.slopeWith(prior);
    return Math.exp(highestMaximum({ points, slopes: points.map(slope), near: () => slope }));
  }

  /**
   * α at the maximum that is reached uphill from a start, which stays where it is too flat to climb.
   *
   * @source PyDESeq2 0.5.4, which starts L-BFGS-B there; the least slope is that method's tolerance
   */
  climb(start: number, prior?: LogNormalPrior): number {
    const slope = this.slopeWith(prior);
    const x = Math.log(start);
    const atStart = slope(x);
    if (Math.abs(atStart) < LEAST_SLOPE) return start;
    const isUp = atStart > 0;
    const onTheWay = isUp
      ? this.points.filter((point) => point > x)
      : this.points.filter((point) => point < x).reverse();
    const points = [x];
    const slopes = [atStart];
    for (const point of onTheWay) {
      points.push(point);
      slopes.push(slope(point));
      if (isUp !== slopes[slopes.length - 1] > 0) break;
    }
    if (!isUp) {
      points.reverse();
      slopes.reverse();
    }
    return Math.exp(highestMaximum({ points, slopes, near: () => slope }));
  }

  private slopeWith(prior: LogNormalPrior | undefined): (x: number) => number {
    return (x) => this.slope(Math.exp(x)) + priorSlope(prior, x);
  }

  /** The slope in log α at α, without a prior. */
  slope(alpha: number): number {
    const { cells, gene, scales, leastMean, free, weights, squares } = this;
    const { sizeFactors, rowBegin } = cells;
    let slope = this.countSlope(alpha);
    const clamped = excessOf(alpha, leastMean);
    const clampedWeight = leastMean / (1 + alpha * leastMean);
    // Σ log1p(αμ) as the logarithm of a product, over all rows but those where the series is used.
    let product = 1;
    let logs = 0;
    for (let row = 0; row < free.length; row++) {
      const [begin, first, end, scale] = [rowBegin[row], free[row], rowBegin[row + 1], scales[row]];
      const n = first - begin;
      let weight = n * clampedWeight;
      let square = n * clampedWeight * clampedWeight;
      slope += n * clamped;
      // The last cell of a row has its largest mean.
      if (first < end && alpha * sizeFactors[end - 1] * scale < SERIES_BOUND) {
        for (let place = first; place < end; place++) {
          const mu = sizeFactors[place] * scale;
          const w = mu / (1 + alpha * mu);
          slope += mu * excessSeries(alpha * mu);
          weight += w;
          square += w * w;
        }
      } else {
        let ofFree = 0;
        for (let place = first; place < end; place++) {
          const mu = sizeFactors[place] * scale;
          const factor = 1 + alpha * mu;
          const w = mu / factor;
          ofFree += w;
          square += w * w;
          product *= factor;
          if (product > MOST_PRODUCT) {
            logs += Math.log(product);
            product = 1;
          }
        }
        slope -= ofFree;
        weight += ofFree;
      }
      weights[row] = weight;
      squares[row] = square;
    }
    slope += (logs + Math.log(product)) / alpha;
    for (let k = 0; k < gene.length; k++) {
      const mu = Math.max(sizeFactors[gene.places[k]] * scales[gene.rows[k]], leastMean);
      slope -= (alpha * gene.counts[k] * mu) / (1 + alpha * mu);
    }
    return slope + 0.5 * alpha * this.traceOfRatio();
  }

  /** Σ_i Σ_{l<y} αl/(1 + αl). */
  private countSlope(alpha: number): number {
    const { above, large } = this;
    let slope = 0;
    for (let l = 1; l <= this.largest; l++) slope += (above[l] * alpha * l) / (1 + alpha * l);
    for (const y of large) slope += largeCountSlope(alpha, y);
    return slope;
  }

  /** tr(M⁻¹ Xᵀ W² X). */
  private traceOfRatio(): number {
    const { weights, squares, information, derivative, inverse, cells } = this;
    const { rows, nRows, nCoefficients: p } = cells.design;
    let trace = 0;
    if (nRows === p) {
      // As many rows as coefficients: M = Rᵀ diag(weights) R with R square.
      for (let row = 0; row < nRows; row++) trace += squares[row] / weights[row];
      return trace;
    }
    addOuter(information.fill(0), rows, weights, p);
    addOuter(derivative.fill(0), rows, squares, p);
    factorCholesky(information, p);
    invertCholesky(information, p, inverse);
    for (let c = 0; c < p; c++) {
      for (let d = 0; d <= c; d++) trace += (c === d ? 1 : 2) * inverse[c * p + d] * derivative[c * p + d];
    }
    return trace;
  }
}

/** log1p(αμ)/α − μ/(1 + αμ). */
const excessOf = (alpha: number, mu: number): number => {
  const x = alpha * mu;
  return x < SERIES_BOUND ? mu * excessSeries(x) : Math.log1p(x) / alpha - mu / (1 + x);
};

/** log1p(x)/x − 1/(1 + x) = Σ_{k≥1} (−1)^{k+1} x^k k/(k + 1); seven terms leave 1e-16 below x = 0.01. */
const excessSeries = (x: number): number =>
  x * (1 / 2 - x * (2 / 3 - x * (3 / 4 - x * (4 / 5 - x * (5 / 6 - x * (6 / 7 - (x * 7) / 8))))));
