import { GeneStatus } from '../gene-status.js';
import type { ComparisonCells, PlacedCounts } from './comparison-cells.js';
import { CooksDistances } from './cooks-distance.js';
import { rowsWithoutTested } from './comparison-design.js';
import { fitEmptyArm } from './empty-arm.js';
import { CellGlm } from './glm-fit.js';
import { GlmVariance, logLikelihood } from './glm-inference.js';
import { twoSided } from './two-sided.js';

export interface ComparisonTestOptions {
  /** Least mean count of a cell in the fit; 0: none, the maximum of the likelihood. */
  readonly minMu: number;
  readonly test: 'lrt' | 'wald';
  /** Distribution of the Wald statistic; t has cells − coefficients degrees of freedom. */
  readonly waldReference: 'normal' | 't';
  /** `robust`: Huber–White's standard error beside Fisher's; Wald uses it. */
  readonly standardErrors: 'fisher' | 'robust';
  /** Cook's distances: none, the largest of each gene, or also no p-value for genes that an outlier decides. */
  readonly cooks: 'none' | 'report' | 'filter';
}

/** What the tests found for one gene; NaN where there is nothing. */
export interface GeneComparison {
  readonly log2FoldChange: number;
  /** From the Fisher information. */
  readonly standardErrorLog2: number;
  /** Huber–White's; NaN unless asked for. */
  readonly standardErrorRobustLog2: number;
  /** LRT: signed root of the statistic. Wald: log2FoldChange over its standard error. */
  readonly zScore: number;
  readonly pValue: number;
  readonly log10PValue: number;
  /** β in the order of the design's columns, natural log. */
  readonly coefficients: Float64Array;
  /** β₀; −∞ for a reference without counts. */
  readonly intercept: number;
  /** Largest Cook's distance over the cells; NaN unless asked for. */
  readonly cooksDistance: number;
  readonly status: GeneStatus;
  readonly iterations: number;
  readonly converged: boolean;
}

/** Of a gene without counts. */
export const NO_COUNTS: GeneComparison = {
  coefficients: new Float64Array(0),
  log2FoldChange: NaN,
  standardErrorLog2: NaN,
  standardErrorRobustLog2: NaN,
  zScore: NaN,
  pValue: NaN,
  log10PValue: NaN,
  intercept: -Infinity,
  cooksDistance: NaN,
  status: GeneStatus.allZero,
  iterations: 0,
  converged: false,
};

/** Less information on the tested coefficient than this, natural log: the data do not bound it. */
const LEAST_INFORMATION = 1e-6;
/** An arm without counts starts from this many. */
const LEAST_START = 0.5;

/**
 * Tests single genes of one comparison by direct sums over its cells.
 *
 * Without a clamp an arm without counts is treated as in `fitPerturbation`: the other arm is fitted alone, the empty arm's
 * distance from it is Firth's bias-reduced estimate, the likelihood is the limit. With a clamp such an arm has a fixed point
 * like any other.
 */
export class ComparisonTest {
  private readonly full: CellGlm;
  private readonly reduced: CellGlm;
  private readonly variance: GlmVariance;
  private readonly cooks: CooksDistances | null;
  /** Rows of each arm: 1 where the row is in it. */
  private readonly perturbed: Uint8Array;
  private readonly reference: Uint8Array;

  constructor(
    private readonly cells: ComparisonCells,
    private readonly options: ComparisonTestOptions,
  ) {
    const { rows, nRows, nCoefficients: p, tested } = cells.design;
    const { minMu } = options;
    this.full = new CellGlm(cells, rows, p, minMu);
    this.reduced = new CellGlm(cells, rowsWithoutTested(cells.design), p - 1, minMu);
    this.variance = new GlmVariance(cells, rows, p, minMu);
    this.cooks = options.cooks === 'none' ? null : new CooksDistances(cells, minMu);
    this.perturbed = Uint8Array.from({ length: nRows }, (_, row) => rows[row * p + tested]);
    this.reference = this.perturbed.map((one) => 1 - one);
  }

  /** @param alpha - dispersion of the gene, finite and not negative */
  test(gene: PlacedCounts, alpha: number): GeneComparison {
    if (gene.length === 0) return NO_COUNTS;
    const totals = this.armTotals(gene);
    const exposures = this.armExposures;
    if (this.options.minMu === 0) {
      if (totals.perturbed === 0) return this.testEmpty(gene, alpha, this.reference, GeneStatus.emptyPerturbedArm);
      if (totals.reference === 0) return this.testEmpty(gene, alpha, this.perturbed, GeneStatus.emptyControlArm);
    }
    const start = new Float64Array(this.full.nCoefficients);
    start[0] = Math.log(Math.max(totals.reference, LEAST_START) / exposures.reference);
    start[this.cells.design.tested] =
      Math.log(Math.max(totals.perturbed, LEAST_START) / exposures.perturbed) - start[0];
    const fit = this.full.fit(gene, alpha, start);
    const etas = this.full.linearPredictors(fit.coefficients).slice();
    return this.conclude(gene, alpha, {
      coefficients: fit.coefficients.slice(),
      etas,
      logLikelihood:
        this.options.test === 'lrt' ? logLikelihood(this.cells, gene, alpha, etas, this.options.minMu) : NaN,
      iterations: fit.iterations,
      converged: fit.converged,
      intercept: fit.coefficients[0],
      status: GeneStatus.tested,
    });
  }

  private testEmpty(gene: PlacedCounts, alpha: number, counted: Uint8Array, status: GeneStatus): GeneComparison {
    const { cells, reduced } = this;
    const start = new Float64Array(reduced.nCoefficients);
    start[0] = Math.log(this.sumOfCounts(gene) / this.exposureOf(counted));
    const fit = reduced.fit(gene, alpha, start, counted);
    const etas = reduced.linearPredictors(fit.coefficients).slice();
    const ofCounted = logLikelihood(cells, gene, alpha, etas, 0, counted);
    const shift = fitEmptyArm(cells, etas, alpha, counted);
    for (let row = 0; row < etas.length; row++) if (counted[row] === 0) etas[row] += shift.eta;
    const isPerturbedEmpty = status === GeneStatus.emptyPerturbedArm;
    const { tested } = cells.design;
    const coefficients = new Float64Array(reduced.nCoefficients + 1);
    fit.coefficients.forEach((value, c) => (coefficients[c < tested ? c : c + 1] = value));
    coefficients[tested] = isPerturbedEmpty ? shift.eta : -shift.eta;
    return this.conclude(gene, alpha, {
      coefficients,
      etas,
      logLikelihood: ofCounted,
      iterations: isPerturbedEmpty ? shift.iterations : fit.iterations,
      converged: fit.converged && shift.converged,
      intercept: isPerturbedEmpty ? coefficients[0] : -Infinity,
      status,
    });
  }

  private conclude(gene: PlacedCounts, alpha: number, fit: Fit): GeneComparison {
    const { cells, options, variance } = this;
    const { tested, nCells, nCoefficients: p } = cells.design;
    const log2FoldChange = fit.coefficients[tested] / Math.LN2;
    const fisher = variance.fisher(alpha, fit.etas, tested);
    const isEmpty = fit.status !== GeneStatus.tested;
    const robust =
      options.standardErrors === 'robust' && !isEmpty ? variance.robust(gene, alpha, fit.etas, tested) : NaN;
    let converged = fit.converged && fisher < 1 / LEAST_INFORMATION;
    let zScore = NaN;
    let degrees = Infinity;
    if (options.test === 'lrt') {
      const alone = this.reduced.fit(gene, alpha, this.startWithout(gene));
      const etas = this.reduced.linearPredictors(alone.coefficients);
      const statistic = 2 * (fit.logLikelihood - logLikelihood(cells, gene, alpha, etas, options.minMu));
      zScore = Math.sign(log2FoldChange) * Math.sqrt(Math.max(statistic, 0));
      converged &&= alone.converged;
    } else if (!isEmpty) {
      zScore = fit.coefficients[tested] / Math.sqrt(options.standardErrors === 'robust' ? robust : fisher);
      if (options.waldReference === 't') degrees = nCells - p;
    }
    const influence = this.cooks?.maximum(gene, fit.etas, alpha);
    const isFiltered = options.cooks === 'filter' && influence?.isOutlier === true;
    let { status } = fit;
    if (!converged) status = GeneStatus.notConverged;
    else if (isFiltered) status = GeneStatus.cooksOutlier;
    const [pValue, log10PValue] = isFiltered ? [NaN, NaN] : twoSided(zScore, degrees);
    return {
      coefficients: fit.coefficients,
      log2FoldChange,
      standardErrorLog2: Math.sqrt(fisher) / Math.LN2,
      standardErrorRobustLog2: Math.sqrt(robust) / Math.LN2,
      zScore,
      pValue,
      log10PValue,
      intercept: fit.intercept,
      cooksDistance: influence?.distance ?? NaN,
      status,
      iterations: fit.iterations,
      converged,
    };
  }

  private startWithout(gene: PlacedCounts): Float64Array {
    const start = new Float64Array(this.reduced.nCoefficients);
    const { perturbed, reference } = this.armExposures;
    start[0] = Math.log(this.sumOfCounts(gene) / (perturbed + reference));
    return start;
  }

  private sumOfCounts(gene: PlacedCounts): number {
    let sum = 0;
    for (let k = 0; k < gene.length; k++) sum += gene.counts[k];
    return sum;
  }

  private armTotals(gene: PlacedCounts): { perturbed: number; reference: number } {
    let [perturbed, reference] = [0, 0];
    for (let k = 0; k < gene.length; k++) {
      if (this.perturbed[gene.rows[k]] === 1) perturbed += gene.counts[k];
      else reference += gene.counts[k];
    }
    return { perturbed, reference };
  }

  private get armExposures(): { perturbed: number; reference: number } {
    return { perturbed: this.exposureOf(this.perturbed), reference: this.exposureOf(this.reference) };
  }

  private exposureOf(arm: Uint8Array): number {
    return this.cells.exposures.reduce((sum, exposure, row) => sum + exposure * arm[row], 0);
  }
}

/** The fit of the full design, or what stands in for it. */
interface Fit {
  readonly coefficients: Float64Array;
  /** Linear predictor of each row. */
  readonly etas: Float64Array;
  readonly logLikelihood: number;
  readonly iterations: number;
  readonly converged: boolean;
  readonly intercept: number;
  readonly status: GeneStatus;
}
