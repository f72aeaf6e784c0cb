/** The tests one run can make of every (perturbation, gene). */
export const TEST_NAMES = ['nb-glm', 'wilcoxon', 't-test'] as const;
export type TestName = (typeof TEST_NAMES)[number];

export const OUTPUT_FORMATS = ['h5ad', 'csv', 'parquet'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** Variance of the t-test: of each arm (Welch), pooled (Student), or scanpy's with the perturbed arm's size for the control. */
export const T_TEST_VARIANTS = ['welch', 'student', 'overestimated-variance'] as const;
export type TTestVariant = (typeof T_TEST_VARIANTS)[number];

/** Adjustment of p-values within a perturbation and over the screen. */
export const CORRECTIONS = ['bh', 'bonferroni'] as const;
export type Correction = (typeof CORRECTIONS)[number];

/** Shrinkage of fold changes, in layers of their own beside the raw ones. */
export const SHRINKAGES = ['none', 'apeglm'] as const;
export type Shrinkage = (typeof SHRINKAGES)[number];

export type InputScale = 'counts' | 'log1p';

/** Which cells a size factor is relative to: all of the screen, or those of one comparison (PyDESeq2). */
export const SIZE_FACTOR_SCOPES = ['global', 'per-comparison'] as const;
export type SizeFactorScope = (typeof SIZE_FACTOR_SCOPES)[number];

/** Which cells a gene's dispersion is estimated from. */
export const DISPERSION_SCOPES = ['global', 'per-comparison', 'control'] as const;
export type DispersionScope = (typeof DISPERSION_SCOPES)[number];

/**
 * Maximum a posteriori about the trend, the gene's own Cox–Reid estimate, the trend itself, the gene's moments, or crispyx's
 * moments halfway to its trend.
 */
export const DISPERSION_ESTIMATORS = ['map', 'gene-wise', 'trend', 'moments', 'crispyx'] as const;
export type DispersionEstimator = (typeof DISPERSION_ESTIMATORS)[number];

export const NB_TESTS = ['lrt', 'wald'] as const;
export type NbTest = (typeof NB_TESTS)[number];

/** Distribution of the Wald statistic; t has the comparison's cells minus its coefficients as degrees of freedom. */
export const WALD_REFERENCES = ['normal', 't'] as const;
export type WaldReference = (typeof WALD_REFERENCES)[number];

/** Standard errors from the Fisher information, or Huber–White's beside them. */
export const STANDARD_ERRORS = ['fisher', 'robust'] as const;
export type StandardErrors = (typeof STANDARD_ERRORS)[number];

/** What a perturbation is compared with: the control cells, all other cells, or all other perturbed cells. */
export const REFERENCES = ['control', 'rest', 'other-perturbed'] as const;
export type Reference = (typeof REFERENCES)[number];

/** Weights of the strata in the stratified Wilcoxon test: van Elteren's 1/(n + 1), or 1. */
export const BATCH_WEIGHTS = ['van-elteren', 'unit'] as const;
export type BatchWeights = (typeof BATCH_WEIGHTS)[number];

/** Ranks of exact ratios, or of the float32 values that scanpy ranks, with the ties that rounding makes. */
export const RANK_PRECISIONS = ['exact', 'float32'] as const;
export type RankPrecision = (typeof RANK_PRECISIONS)[number];

/** Cells from which the scale of apeGLM's prior is estimated: one comparison's genes, or all of the screen. */
export const SHRINK_PRIORS = ['per-comparison', 'global'] as const;
export type ShrinkPrior = (typeof SHRINK_PRIORS)[number];

/** Peers whose defaults one flag sets. */
export const PRESETS = ['crispyx', 'pydeseq2', 'scanpy'] as const;
export type Preset = (typeof PRESETS)[number];

/**
 * Where size factors come from: `total` counts of the cell, the median of ratios to a reference profile (`sparse`, `ratio`,
 * `poscounts`, `pydeseq2-poscounts`), or a column of obs.
 */
export type SizeFactorMethod = 'total' | 'sparse' | 'ratio' | 'poscounts' | 'pydeseq2-poscounts' | `obs:${string}`;

/**
 * Everything a user can ask of `shardex de`, after validation. It travels with the job, is written to `run.json`, and
 * together with the input's identity determines every byte of the results: nothing about workers, shards or memory is in it.
 */
export interface DeParameters {
  /** Path of the h5ad file. */
  readonly input: string;
  /** Directory that receives the results. */
  readonly output: string;
  /** Column of obs; null: detect it and say which. */
  readonly perturbationColumn: string | null;
  /** Label of the control cells; null: detect it and say which. */
  readonly controlLabel: string | null;
  readonly tests: readonly TestName[];
  /** Restrict the run to these perturbations and the control; null: all. Cells of others are left out of everything. */
  readonly perturbations: readonly string[] | null;
  /** Matrix to read: null for `X`, `raw/X`, or the name of a layer. */
  readonly layer: string | null;
  /** null: `counts` if every value is a non-negative integer, otherwise the run is refused with a hint to declare it. */
  readonly inputScale: InputScale | null;
  /** Keep cells with at least this many expressed genes. */
  readonly minGenes: number;
  /** Keep perturbations with at least this many kept cells. */
  readonly minCellsPerPerturbation: number;
  /** Test genes expressed in at least this many kept cells. */
  readonly minCellsPerGene: number;
  /** Test a gene in a comparison with at least this many expressing cells in both arms together. */
  readonly minCellsExpressed: number;
  /** Test a gene in a comparison with at least this total count in both arms together. */
  readonly minTotalCount: number;
  /** Test a gene in a comparison with at least this many expressing cells in each arm (sceptre's rule: 7). */
  readonly minNonzero: number;
  /** Leave out genes that are low, in share of expressing cells and in mean, in both arms (crispyx's thresholds). */
  readonly lowExpressionFilter: boolean;
  readonly sizeFactors: SizeFactorMethod;
  /**
   * Divide size factors by their geometric mean over the kept cells. false: the method's own scale, which is an arithmetic
   * mean of 1 for `total`, the ratios as they are for `sparse` and `ratio`, geometric mean 1 for `poscounts`, the column's.
   */
  readonly scaleSizeFactors: boolean;
  readonly sizeFactorScope: SizeFactorScope;
  /** A fixed dispersion for every gene; null: estimate it. */
  readonly dispersion: number | null;
  readonly dispersionScope: DispersionScope;
  readonly dispersionEstimator: DispersionEstimator;
  /** Least mean count of a cell in the fit; 0: none, the maximum of the likelihood. */
  readonly minMu: number;
  readonly nbTest: NbTest;
  readonly waldReference: WaldReference;
  readonly standardErrors: StandardErrors;
  /** Columns of obs that enter the NB-GLM additively; categorical ones by levels, numeric ones standardised. */
  readonly covariates: readonly string[];
  /** Column of obs with batches: strata of the Wilcoxon test, a categorical covariate of the NB-GLM; null: none. */
  readonly batchColumn: string | null;
  readonly batchWeights: BatchWeights;
  readonly reference: Reference;
  /** Largest Cook's distance of every gene, in a layer of its own. */
  readonly cooks: boolean;
  /** Leave out genes whose largest Cook's distance is beyond the F distribution's 99% quantile. */
  readonly cooksFilter: boolean;
  readonly shrink: Shrinkage;
  readonly shrinkPrior: ShrinkPrior;
  /** Wilcoxon: correct the variance for ties. */
  readonly tieCorrect: boolean;
  /** Wilcoxon: continuity correction of one half. */
  readonly continuity: boolean;
  readonly rankPrecision: RankPrecision;
  readonly tTest: TTestVariant;
  readonly correction: Correction;
  /** Significance level used in counts of significant genes; it changes no p-value. */
  readonly alpha: number;
  readonly formats: readonly OutputFormat[];
  /** Also write `uns/rank_genes_groups` as scanpy does. */
  readonly scanpy: boolean;
  /** `crispyx` adds that tool's further layers under its names. */
  readonly layers: 'default' | 'crispyx';
  /** The peer whose defaults stood in for ours; every value that follows from it is in its own field. */
  readonly preset: Preset | null;
  /** Where intermediate files go; null: a hidden folder inside `output`. */
  readonly scratch: string | null;
}

export const DEFAULT_DE_PARAMETERS: Omit<DeParameters, 'input' | 'output'> = {
  perturbationColumn: null,
  controlLabel: null,
  tests: TEST_NAMES,
  perturbations: null,
  layer: null,
  inputScale: null,
  minGenes: 0,
  minCellsPerPerturbation: 0,
  minCellsPerGene: 0,
  minCellsExpressed: 0,
  minTotalCount: 0,
  minNonzero: 0,
  lowExpressionFilter: false,
  sizeFactors: 'total',
  scaleSizeFactors: true,
  sizeFactorScope: 'global',
  dispersion: null,
  dispersionScope: 'global',
  dispersionEstimator: 'map',
  minMu: 0,
  nbTest: 'lrt',
  waldReference: 'normal',
  standardErrors: 'fisher',
  covariates: [],
  batchColumn: null,
  batchWeights: 'van-elteren',
  reference: 'control',
  cooks: false,
  cooksFilter: false,
  shrink: 'none',
  shrinkPrior: 'per-comparison',
  tieCorrect: true,
  continuity: false,
  rankPrecision: 'exact',
  tTest: 'welch',
  correction: 'bh',
  alpha: 0.05,
  formats: ['h5ad'],
  scanpy: false,
  layers: 'default',
  preset: null,
  scratch: null,
};
