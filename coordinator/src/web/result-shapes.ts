/**
 * What the page asks the coordinator for and the report carries inside, as JSON: NaN and infinities are null there. Nothing is
 * imported, so that the browser's half can be checked without Node's types.
 */

/** Tests by the names of `--tests`. */
export type TestName = 'nb-glm' | 'wilcoxon' | 't-test';

/** How the p-values of many tests lie, against the uniform distribution they would have if no gene responded. */
export interface Calibration {
  /** p-values behind the figures. */
  readonly tested: number;
  /** Counts of p-values in bins of equal width from 0 to 1. */
  readonly histogram: readonly number[];
  /** Pairs (expected, observed) of −log10 p, ascending. */
  readonly quantiles: readonly (readonly [number, number])[];
  /** Median of the χ²₁ quantiles of the p-values over its expectation; null without p-values. */
  readonly inflation: number | null;
}

/** Genes of one perturbation under one test: columns of one length. */
export interface GeneColumns {
  readonly gene: readonly string[];
  readonly log2FoldChange: readonly (number | null)[];
  /** The test's own effect where that is not the fold change, otherwise null. */
  readonly effect: readonly (number | null)[] | null;
  readonly zScore: readonly (number | null)[];
  readonly pvalue: readonly (number | null)[];
  readonly log10Pvalue: readonly (number | null)[];
  readonly pvalueAdjusted: readonly (number | null)[];
  /** Mean of both arms' mean expression; null where the file does not have that of the control. */
  readonly meanExpression: readonly (number | null)[] | null;
  readonly pts: readonly (number | null)[];
  readonly ptsRest: readonly (number | null)[] | null;
  readonly status: readonly string[];
}

export interface PerturbationResults {
  readonly test: TestName;
  readonly perturbation: string;
  readonly calibration: Calibration;
  /** Genes with a p-value, in or left out of `genes`. */
  readonly testedGenes: number;
  /** Genes of the file that `genes` leaves out. */
  readonly genesLeftOut: number;
  readonly genes: GeneColumns;
}

export interface PerturbationCounts {
  readonly perturbation: string;
  readonly cells: number | null;
  readonly tested: number;
  /** Adjusted p-value (within the perturbation) of at most alpha, and the fold change or effect is up or down. */
  readonly up: number;
  readonly down: number;
}

/** One test over the whole screen. */
export interface TestOverview {
  readonly test: TestName;
  /** What X is: `log2_fold_change`, `auc` or `mean_difference`. */
  readonly effect: string;
  /** Most significant genes first; at most so many as were asked for. */
  readonly perturbations: readonly PerturbationCounts[];
  readonly perturbationsLeftOut: number;
  readonly significantGenes: number;
  readonly calibration: Calibration;
}

/** What `run.json` says, of which any part may be absent. */
export type RunRecord = Readonly<Record<string, unknown>>;

/** How much of a job that still runs there is to see. What is there is as it will be at the end. */
export interface Provisional {
  readonly perturbationsDone: number;
  readonly perturbations: number;
}

export interface RunOverview {
  readonly folder: string;
  readonly alpha: number;
  readonly run: RunRecord | null;
  /** Tests with results. */
  readonly tests: readonly TestName[];
  /** Null for the results of a job that has ended. */
  readonly provisional: Provisional | null;
}

/** Everything in a report. */
export interface ReportData extends RunOverview {
  readonly overviews: readonly TestOverview[];
  readonly results: readonly PerturbationResults[];
  readonly generator: string;
}
