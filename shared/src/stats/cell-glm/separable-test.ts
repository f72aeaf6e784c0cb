import { GeneStatus } from '../gene-status.js';
import { ComparisonCells, type PlacedCounts } from './comparison-cells.js';
import { NO_COUNTS, type ComparisonTestOptions, type GeneComparison } from './comparison-test.js';
import { CellGlm } from './glm-fit.js';
import { GlmVariance } from './glm-inference.js';
import { twoSided } from './two-sided.js';

/** One arm's part of a clamped fit of two groups, one gene. */
export interface ArmFit {
  /** Intercept, natural log. */
  readonly eta: number;
  /** Its variance from the Fisher information. */
  readonly fisher: number;
  /** Huber and White's; NaN unless asked for. */
  readonly robust: number;
  readonly iterations: number;
  readonly converged: boolean;
  readonly isEmpty: boolean;
}

/**
 * Clamped fits of one arm by itself. Without covariates they are the arms' parts of the joint fit, up to the ridge of 1e-6,
 * which holds the intercept of each arm instead of intercept and difference: 3e-6 of a standard error on a real screen.
 */
export class ArmGlm {
  readonly cells: ComparisonCells;
  private readonly glm: CellGlm;
  private readonly variance: GlmVariance;

  /** @param sizeFactors - of the arm's cells */
  constructor(
    sizeFactors: ArrayLike<number>,
    minMu: number,
    private readonly standardErrors: ComparisonTestOptions['standardErrors'],
  ) {
    const nCells = sizeFactors.length;
    const rows = Float64Array.of(1);
    const design = { nCells, nCoefficients: 1, nRows: 1, rows, rowOf: new Uint32Array(nCells), tested: 0 };
    this.cells = new ComparisonCells(design, sizeFactors);
    this.glm = new CellGlm(this.cells, rows, 1, minMu);
    this.variance = new GlmVariance(this.cells, rows, 1, minMu);
  }

  fit(gene: PlacedCounts, alpha: number): ArmFit {
    let total = 0;
    for (let k = 0; k < gene.length; k++) total += gene.counts[k];
    const start = [Math.log(Math.max(total, 0.5) / this.cells.exposures[0])];
    const { coefficients, iterations, converged } = this.glm.fit(gene, alpha, start);
    const etas = coefficients.slice();
    return {
      eta: etas[0],
      fisher: this.variance.fisher(alpha, etas, 0),
      robust: this.standardErrors === 'robust' ? this.variance.robust(gene, alpha, etas, 0) : NaN,
      iterations,
      converged,
      isEmpty: gene.length === 0,
    };
  }
}

/**
 * The Wald test of two arms that were fitted by themselves.
 *
 * @param degrees - of Student's t; infinite: the normal distribution
 */
export function compareArms(control: ArmFit, perturbed: ArmFit, degrees: number): GeneComparison {
  if (control.isEmpty && perturbed.isEmpty) return NO_COUNTS;
  const difference = perturbed.eta - control.eta;
  const fisher = control.fisher + perturbed.fisher;
  const robust = control.robust + perturbed.robust;
  const zScore = difference / Math.sqrt(Number.isNaN(robust) ? fisher : robust);
  const converged = control.converged && perturbed.converged;
  const [pValue, log10PValue] = twoSided(zScore, degrees);
  return {
    coefficients: Float64Array.of(control.eta, difference),
    log2FoldChange: difference / Math.LN2,
    standardErrorLog2: Math.sqrt(fisher) / Math.LN2,
    standardErrorRobustLog2: Math.sqrt(robust) / Math.LN2,
    zScore,
    pValue,
    log10PValue,
    intercept: control.eta,
    cooksDistance: NaN,
    status: converged ? GeneStatus.tested : GeneStatus.notConverged,
    iterations: perturbed.iterations,
    converged,
  };
}
