import { GeneStatus } from './gene-status.js';

/** What the filters look at: one gene in one arm of a comparison. */
export interface ArmExpression {
  /** Cells of the arm. */
  readonly cells: number;
  /** Of them, those with a count. */
  readonly nExpressing: number;
  /** Mean expression over the arm's cells, on the scale that the thresholds are meant for. */
  readonly mean: number;
  /** Sum of the counts. */
  readonly sumCounts: number;
}

/**
 * An arm is low in a gene when its share of expressing cells AND its mean are below these. Nothing is below 0: a threshold of
 * 0 keeps its arm from ever being low, and so switches the whole filter off. Means are on the scale of the test: crispyx
 * takes those of log1p expression for Wilcoxon and t-test, those of counts over size factors for the NB-GLM.
 */
export interface LowExpressionThresholds {
  readonly minControlShare: number;
  readonly minPerturbedShare: number;
  readonly minControlMean: number;
  readonly minPerturbedMean: number;
}

/** @source crispyx 0.2.2, `_low_expr_in_both_mask`: its defaults `min_pct_ctrl`, `min_pct_pert`, `min_mean_ctrl`, `min_mean_pert` */
export const CRISPYX_LOW_EXPRESSION: LowExpressionThresholds = {
  minControlShare: 0.01,
  minPerturbedShare: 0.002,
  minControlMean: 0.05,
  minPerturbedMean: 0.005,
};

/**
 * sceptre's rule for both arms: perturbed (its `n_nonzero_trt_thresh`) and control (`n_nonzero_cntrl_thresh`).
 *
 * @source sceptre 0.10, the defaults of `run_qc`
 */
export const SCEPTRE_MIN_NONZERO = 7;

/** The thresholds of one run; leave out a rule to switch it off. */
export interface GeneFilters {
  /** Least number of cells of both arms together with a count (crispyx `min_cells_expressed`). */
  readonly minCellsExpressed?: number;
  /** Least total count of both arms together (crispyx `min_total_count`). */
  readonly minTotalCount?: number;
  readonly lowExpression?: LowExpressionThresholds;
  /** Least number of perturbed cells with a count (sceptre; crispyx `min_cells_pert`). */
  readonly minNonzeroPerturbed?: number;
  /** Least number of control cells with a count (sceptre; crispyx `min_cells_ctrl`). */
  readonly minNonzeroControl?: number;
}

/**
 * Whether a gene is too low to be tested: its share of expressing cells and its mean are both below the thresholds, and in
 * both arms. One cell with many counts keeps a gene, and so does either arm on its own, so that genes switched on or off by
 * the perturbation stay. An arm without cells filters nothing.
 *
 * @source crispyx 0.2.2, `_low_expr_in_both_mask`
 */
export function isLowInBothArms(
  perturbed: Omit<ArmExpression, 'sumCounts'>,
  control: Omit<ArmExpression, 'sumCounts'>,
  thresholds: LowExpressionThresholds,
): boolean {
  if (perturbed.cells === 0 || control.cells === 0) return false;
  const { minControlShare, minPerturbedShare, minControlMean, minPerturbedMean } = thresholds;
  return (
    control.nExpressing / control.cells < minControlShare &&
    control.mean < minControlMean &&
    perturbed.nExpressing / perturbed.cells < minPerturbedShare &&
    perturbed.mean < minPerturbedMean
  );
}

/**
 * The first rule that leaves a gene out of one comparison, or `tested` if none does.
 *
 * In this order: expressed in too few cells (`filteredLowCells`), too few counts (`filteredLowTotal`), low in both arms
 * (`filteredLowExpression`), too few nonzero cells in an arm (`filteredFewNonzero`). A value at its threshold stays.
 */
export function geneFilterStatus(perturbed: ArmExpression, control: ArmExpression, filters: GeneFilters): GeneStatus {
  const { minCellsExpressed = 0, minTotalCount = 0, minNonzeroPerturbed = 0, minNonzeroControl = 0 } = filters;
  const { lowExpression } = filters;
  if (perturbed.nExpressing + control.nExpressing < minCellsExpressed) return GeneStatus.filteredLowCells;
  if (perturbed.sumCounts + control.sumCounts < minTotalCount) return GeneStatus.filteredLowTotal;
  if (lowExpression !== undefined && isLowInBothArms(perturbed, control, lowExpression)) {
    return GeneStatus.filteredLowExpression;
  }
  const isFew = perturbed.nExpressing < minNonzeroPerturbed || control.nExpressing < minNonzeroControl;
  return isFew ? GeneStatus.filteredFewNonzero : GeneStatus.tested;
}
