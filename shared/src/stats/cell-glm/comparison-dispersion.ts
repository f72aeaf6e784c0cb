import { LEAST_DISPERSION, LEAST_UPPER_BOUND, type DispersionPrior } from '../dispersion-prior.js';
import type { LogNormalPrior } from '../log-normal-prior.js';
import { factorCholesky, solveCholesky } from './cholesky.js';
import type { ComparisonCells, PlacedCounts } from './comparison-cells.js';
import { CellDispersionProfile } from './dispersion-profile.js';
import { CellGlm } from './glm-fit.js';
import { addOuter } from './glm-inference.js';

/** Least mean while α is sought where no clamp is asked for: DESeq2's advice of `minmu` for single cells. */
const LEAST_MEAN = 1e-6;
/** Fitted values of the rough estimate are at least this, in normalised counts (DESeq2). */
const LEAST_ROUGH_FIT = 1;

/** What one gene's counts say of its dispersion by themselves. */
export interface GenewiseDispersion {
  /** Mean over cells of y/s. */
  readonly baseMean: number;
  /** Maximum of the Cox–Reid adjusted likelihood, the means held fixed. */
  readonly genewise: number;
  /** From the variance of y/s over all cells. */
  readonly moments: number;
}

/**
 * Dispersions of one comparison, as DESeq2 estimates them: the means are fitted first and held fixed while α is sought.
 *
 * Where the design has as many distinct rows as coefficients the means are those of a linear model, s_i times the row's mean
 * of y/s; otherwise those of a regression with a rough α, the lesser of two moment estimates.
 *
 * Without a clamp (`minMu` 0) α is the highest maximum between 1e-8 and max(10, cells). With one, PyDESeq2's choices are
 * kept, which decide where the clamped means do not fit: α is the maximum reached uphill from the rough α, or from the
 * trend; the means of a linear model are clamped, those of a regression are not.
 *
 * @source DESeq2 1.38.3, estimateDispersionsGeneEst, roughDispEstimate, momentsDispEstimate; PyDESeq2 0.5.4
 */
export class ComparisonDispersion {
  private readonly profile: CellDispersionProfile;
  /** null where the means are those of a linear model. */
  private readonly glm: CellGlm | null;
  private readonly scales: Float64Array;
  private readonly sums: Float64Array;
  private readonly squares: Float64Array;
  /** Decomposition of Σ_i x xᵀ. */
  private readonly gram: Float64Array;
  private readonly most: number;

  constructor(
    private readonly cells: ComparisonCells,
    private readonly minMu: number,
  ) {
    const { rows, nRows, nCells, nCoefficients: p } = cells.design;
    this.most = Math.max(LEAST_UPPER_BOUND, nCells);
    this.profile = new CellDispersionProfile(cells, { least: LEAST_DISPERSION, most: this.most });
    this.glm = nRows === p ? null : new CellGlm(cells, rows, p, minMu);
    this.scales = new Float64Array(nRows);
    this.sums = new Float64Array(nRows);
    this.squares = new Float64Array(nRows);
    const nOfRow = Float64Array.from({ length: nRows }, (_, row) => cells.cellsOf(row));
    this.gram = new Float64Array(p * p);
    addOuter(this.gram, rows, nOfRow, p);
    factorCholesky(this.gram, p);
  }

  /**
   * The estimate from one gene with counts.
   *
   * @param means - receives what the means follow from, nCoefficients numbers, for `posterior`
   */
  estimate(gene: PlacedCounts, means: Float64Array): GenewiseDispersion {
    const { cells, sums, squares } = this;
    sums.fill(0);
    squares.fill(0);
    let [sum, square] = [0, 0];
    for (let k = 0; k < gene.length; k++) {
      const q = gene.counts[k] / cells.sizeFactors[gene.places[k]];
      sums[gene.rows[k]] += q;
      squares[gene.rows[k]] += q * q;
    }
    for (let row = 0; row < sums.length; row++) {
      sum += sums[row];
      square += squares[row];
    }
    const n = cells.design.nCells;
    const baseMean = sum / n;
    const variance = (square - n * baseMean * baseMean) / (n - 1);
    const moments = this.clamp((variance - cells.meanInverseSizeFactor * baseMean) / (baseMean * baseMean));
    const rough = Math.min(moments, this.roughEstimate());
    if (this.glm === null) {
      for (let row = 0; row < sums.length; row++) means[row] = sums[row] / cells.cellsOf(row);
    } else {
      const start = new Float64Array(means.length);
      start[0] = Math.log(baseMean);
      means.set(this.glm.fit(gene, rough, start).coefficients);
    }
    return { baseMean, genewise: this.maximise(gene, means, rough), moments };
  }

  /**
   * The maximum of likelihood and prior together.
   *
   * @param means - as `estimate` left them
   * @param trend - the prior's centre, as α
   */
  posterior(gene: PlacedCounts, means: Float64Array, trend: number, { priorVariance }: DispersionPrior): number {
    return this.maximise(gene, means, trend, { mean: Math.log(trend), variance: priorVariance });
  }

  private maximise(gene: PlacedCounts, means: Float64Array, start: number, prior?: LogNormalPrior): number {
    const { profile, minMu } = this;
    profile.load(gene, this.scalesOf(means), this.glm === null ? Math.max(minMu, LEAST_MEAN) : LEAST_MEAN);
    return minMu > 0 ? profile.climb(start, prior) : profile.maximise(prior);
  }

  private scalesOf(means: Float64Array): Float64Array {
    if (this.glm === null) this.scales.set(means);
    else {
      const etas = this.glm.linearPredictors(means);
      for (let row = 0; row < etas.length; row++) this.scales[row] = Math.exp(etas[row]);
    }
    return this.scales;
  }

  /** Σ [(q − ŷ)² − ŷ]/ŷ² / (n − p) with the linear model's fitted values ŷ, at least 1. */
  private roughEstimate(): number {
    const { cells, sums, squares, gram } = this;
    const { rows, nCells, nCoefficients: p } = cells.design;
    const coefficients = new Float64Array(p);
    for (let row = 0; row < sums.length; row++) {
      for (let c = 0; c < p; c++) coefficients[c] += rows[row * p + c] * sums[row];
    }
    solveCholesky(gram, p, coefficients);
    let sum = 0;
    for (let row = 0; row < sums.length; row++) {
      let fitted = 0;
      for (let c = 0; c < p; c++) fitted += rows[row * p + c] * coefficients[c];
      fitted = Math.max(fitted, LEAST_ROUGH_FIT);
      const n = cells.cellsOf(row);
      sum += (squares[row] - 2 * fitted * sums[row] + n * fitted * fitted - n * fitted) / (fitted * fitted);
    }
    return this.clamp(sum / (nCells - p));
  }

  private clamp(alpha: number): number {
    return Math.min(Math.max(alpha, LEAST_DISPERSION), this.most);
  }
}
