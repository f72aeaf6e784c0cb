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

/**
 * Where size factors come from: `total` counts of the cell, the median of ratios to a reference profile (`sparse`, `ratio`,
 * `poscounts`), or a column of obs.
 */
export type SizeFactorMethod = 'total' | 'sparse' | 'ratio' | 'poscounts' | `obs:${string}`;

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
  readonly sizeFactors: SizeFactorMethod;
  /**
   * Divide size factors by their geometric mean over the kept cells. false: the method's own scale, which is an arithmetic
   * mean of 1 for `total`, the ratios as they are for `sparse` and `ratio`, geometric mean 1 for `poscounts`, the column's.
   */
  readonly scaleSizeFactors: boolean;
  /** A fixed dispersion for every gene; null: estimate it. */
  readonly dispersion: number | null;
  readonly nbTest: 'lrt' | 'wald';
  readonly shrink: Shrinkage;
  /** Wilcoxon: correct the variance for ties. */
  readonly tieCorrect: boolean;
  /** Wilcoxon: continuity correction of one half. */
  readonly continuity: boolean;
  readonly tTest: TTestVariant;
  readonly correction: Correction;
  /** Significance level used in counts of significant genes; it changes no p-value. */
  readonly alpha: number;
  readonly formats: readonly OutputFormat[];
  /** Also write `uns/rank_genes_groups` as scanpy does. */
  readonly scanpy: boolean;
  /** `crispyx` adds that tool's further layers under its names. */
  readonly layers: 'default' | 'crispyx';
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
  sizeFactors: 'total',
  scaleSizeFactors: true,
  dispersion: null,
  nbTest: 'lrt',
  shrink: 'none',
  tieCorrect: true,
  continuity: false,
  tTest: 'welch',
  correction: 'bh',
  alpha: 0.05,
  formats: ['h5ad'],
  scanpy: false,
  layers: 'default',
  scratch: null,
};
