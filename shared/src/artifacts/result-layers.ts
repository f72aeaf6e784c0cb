import type { DeParameters, TestName } from '../config/index.js';

/** One perturbations × genes array of a test's results. */
export interface ResultLayer {
  /** Name in the h5ad file's layers; `X` is the effect. */
  readonly name: string;
  readonly dtype: 'f32' | 'f64' | 'u8' | 'i32';
  /** Set for layers that are only written with `--layers crispyx`. */
  readonly crispyx?: true;
  /** Set for layers of the `shrink` stage, which are only written with `--shrink apeglm`. */
  readonly shrunk?: true;
  /** Set for layers that are only written with a `--reference` other than the control: what is then one per perturbation. */
  readonly pooled?: true;
  /** Set for layers that are only written when some option asks for them. */
  readonly asked?: (choice: LayerChoice) => boolean;
  /** Set for layers that the merge makes itself: they need all p-values of the screen. */
  readonly merged?: true;
}

export interface TestOutput {
  /** File name without extension. */
  readonly file: string;
  /** What X holds. */
  readonly effect: string;
  readonly layers: readonly ResultLayer[];
}

const PVALUE_LAYERS: readonly ResultLayer[] = [
  { name: 'pvalue', dtype: 'f64' },
  { name: 'log10_pvalue', dtype: 'f32' },
  { name: 'pvalue_adj', dtype: 'f64' },
  { name: 'pvalue_adj_global', dtype: 'f64', merged: true },
];
const Z_SCORE: ResultLayer = { name: 'z_score', dtype: 'f32' };
const EFFECT: ResultLayer = { name: 'X', dtype: 'f32' };
const EXPRESSION_LAYERS: readonly ResultLayer[] = [
  { name: 'pts', dtype: 'f32' },
  { name: 'pts_rest', dtype: 'f32', pooled: true },
  { name: 'reference_mean', dtype: 'f32', pooled: true },
];
const STATUS: ResultLayer = { name: 'status', dtype: 'u8' };

/**
 * The arrays of every test's results, in the order in which they are written.
 *
 * @source the output contract (docs/output.md)
 */
export const TEST_OUTPUTS: Readonly<Record<TestName, TestOutput>> = {
  'nb-glm': {
    file: 'nb_glm',
    effect: 'log2_fold_change',
    layers: [
      EFFECT,
      { name: 'standard_error', dtype: 'f32' },
      Z_SCORE,
      ...PVALUE_LAYERS,
      ...EXPRESSION_LAYERS,
      { name: 'mean', dtype: 'f32' },
      STATUS,
      { name: 'standard_error_robust', dtype: 'f32', asked: ({ standardErrors }) => standardErrors === 'robust' },
      { name: 'dispersion', dtype: 'f32', asked: ({ dispersionScope }) => dispersionScope === 'per-comparison' },
      { name: 'cooks_max', dtype: 'f32', asked: ({ cooks, cooksFilter }) => cooks === true || cooksFilter === true },
      { name: 'logfoldchange_shrunk', dtype: 'f32', shrunk: true },
      { name: 'standard_error_shrunk', dtype: 'f32', shrunk: true },
      { name: 'logfoldchange_raw_ln', dtype: 'f32', crispyx: true },
      { name: 'standard_error_ln', dtype: 'f32', crispyx: true },
      { name: 'intercept', dtype: 'f32', crispyx: true },
      { name: 'converged', dtype: 'u8', crispyx: true },
      { name: 'iterations', dtype: 'i32', crispyx: true },
    ],
  },
  wilcoxon: {
    file: 'wilcoxon',
    effect: 'auc',
    layers: [
      EFFECT,
      Z_SCORE,
      ...PVALUE_LAYERS,
      { name: 'logfoldchanges', dtype: 'f32' },
      ...EXPRESSION_LAYERS,
      STATUS,
      { name: 'u_statistic', dtype: 'f64', crispyx: true },
    ],
  },
  't-test': {
    file: 't_test',
    effect: 'mean_difference',
    layers: [
      EFFECT,
      Z_SCORE,
      { name: 'degrees_of_freedom', dtype: 'f32' },
      ...PVALUE_LAYERS,
      { name: 'logfoldchanges', dtype: 'f32' },
      ...EXPRESSION_LAYERS,
      STATUS,
    ],
  },
};

/** What decides which layers a run writes. */
export type LayerChoice = Pick<DeParameters, 'layers' | 'shrink' | 'reference'> &
  Partial<Pick<DeParameters, 'standardErrors' | 'dispersionScope' | 'cooks' | 'cooksFilter'>>;

/** The layers one run writes for a test. */
export function resultLayers(test: TestName, choice: LayerChoice): readonly ResultLayer[] {
  const { layers, shrink, reference } = choice;
  return TEST_OUTPUTS[test].layers.filter(
    (layer) =>
      layer.asked?.(choice) !== false &&
      (layer.crispyx !== true || layers === 'crispyx') &&
      (layer.shrunk !== true || shrink === 'apeglm') &&
      (layer.pooled !== true || reference !== 'control'),
  );
}

/** Columns of the tidy table with these layers. The effect goes by its own name, since there is no X. */
export const tidyColumns = (layers: readonly ResultLayer[]): TidyColumn[] => [
  { name: 'perturbation', type: 'string' },
  { name: 'gene', type: 'string' },
  ...layers.map(({ name, dtype }): TidyColumn => ({ name: name === 'X' ? 'effect' : name, type: dtype })),
];

export interface TidyColumn {
  readonly name: string;
  readonly type: ResultLayer['dtype'] | 'string';
}

/** Name of a layer's array in a `fit` output: perturbations of the task × genes, row-major. */
export const fitArrayName = (test: TestName, layer: string): string => `${test}/${layer}`;

/** What the dispersions of one comparison, or of the screen, rest on. */
export interface ComparisonTrend {
  readonly trendKind: string;
  readonly trendCoefficients: readonly number[];
  readonly priorVariance: number;
}

/** Fits that did not converge. */
export interface ConvergenceSummary {
  readonly count: number;
  /** The first few: row of the output and gene. */
  readonly first: readonly (readonly [row: number, gene: number])[];
}

/** Header of a `fit` output. */
export interface FitSummary {
  /** Group of each row; groups that were dropped have none. */
  readonly groups: readonly number[];
  /** Cells of each row's group. */
  readonly cells: readonly number[];
  readonly notConverged: ConvergenceSummary;
  /** How many genes of all rows have each status, by its code, for every test. */
  readonly statuses: Readonly<Record<string, readonly number[]>>;
  /** Of each row; null unless comparisons have dispersions of their own. */
  readonly trends: readonly ComparisonTrend[] | null;
}

/** Header of a `control` output: genes [geneBegin, geneEnd), arrays as listed in the control task. */
export interface ControlSummary {
  readonly geneBegin: number;
  readonly geneEnd: number;
  readonly cells: number;
  readonly nonzeros: number;
}

/** Header of a `dispersion` output. */
export interface DispersionSummary {
  /** Groups with cells; with categorical covariates their strata with cells. */
  readonly groups: number;
  readonly cells: number;
}

/** Header of the `trend` artifact: arrays `genewise`, `trend`, `map`, `final` f64 G and `outlier` u8 G. */
export interface TrendSummary extends ComparisonTrend {
  readonly warnings: readonly string[];
}

/** Header of the `shrink-prior` artifact. */
export interface ShrinkPriorSummary {
  /** Scale of apeGLM's Cauchy prior for all of the screen, natural log. */
  readonly scale: number;
}

/**
 * Header of a `shrink` output, one entry a row of the fit output it belongs to. Arrays: `logfoldchange_shrunk` and
 * `standard_error_shrunk`, named as a `fit` output names them.
 */
export interface ShrinkSummary {
  /** Scale of the Cauchy prior, natural log. */
  readonly priorScales: readonly number[];
  /** Genes whose posterior has two separate modes. */
  readonly twoModes: readonly number[];
  /** Genes whose mode was not found to its tolerance. */
  readonly notConverged: readonly number[];
}
