/** A categorical column of obs, with the levels that occur among the cells of the comparison. */
export interface CategoricalColumn {
  readonly name: string;
  /** A categorical's own order, otherwise ascending. */
  readonly levels: readonly string[];
}

/** A numeric column of obs, as the model sees it: (value − centre)/scale. */
export interface ContinuousColumn {
  readonly name: string;
  /** Mean over the cells that take part. */
  readonly centre: number;
  /** Standard deviation over them (divisor n − 1). */
  readonly scale: number;
}

/**
 * What is known of the cells beside their perturbation: covariates of the NB-GLM and batches of the stratified Wilcoxon test.
 *
 * Arrays beside it in the context, each present only when there is something in it: `stratum` i32 nCells, row of `strata` of
 * each cell; `batch` i32 nCells, level of the batch column; both −1 where the cell takes no part; `covariates` f64 nCells × C,
 * the continuous columns standardised, cell by cell, NaN where the cell takes no part.
 */
export interface CellDesign {
  /** Covariates in the order they were named, then the batch column unless it was named among them. */
  readonly categorical: readonly CategoricalColumn[];
  /** Combinations of levels that occur, in ascending order: strata[s][c] is the level of categorical column c. */
  readonly strata: readonly (readonly number[])[];
  readonly continuous: readonly ContinuousColumn[];
  /** The batch column; null: none. */
  readonly batch: CategoricalColumn | null;
}

/** Without covariates and batches: all cells are one stratum. */
export const NO_COVARIATES: CellDesign = { categorical: [], strata: [[]], continuous: [], batch: null };
