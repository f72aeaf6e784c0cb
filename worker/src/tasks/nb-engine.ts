import type { JobContext } from '@shardex/shared/artifacts';
import type { DeParameters } from '@shardex/shared/config';
import type { GroupBlock } from './group-rows.js';

/**
 * How the NB-GLM of a run is fitted:
 * - `measures`: two groups, from compressed measures; the fast default
 * - `strata`: categorical covariates, from compressed measures of every arm × stratum
 * - `cells`: whatever needs direct sums over the cells of each comparison
 */
export type NbEngineKind = 'measures' | 'strata' | 'cells';

/** The engine a run's parameters ask for. @param context - whether some covariate is numeric */
export function nbEngineKind(
  parameters: DeParameters,
  context: { readonly continuousCovariates: boolean },
): NbEngineKind {
  const { covariates, batchColumn, dispersionScope } = parameters;
  if (needsCells(parameters) || context.continuousCovariates) return 'cells';
  if (covariates.length === 0 && batchColumn === null) return 'measures';
  return dispersionScope === 'per-comparison' ? 'cells' : 'strata';
}

/** The engine of a job. */
export const nbEngineOf = ({ parameters, design }: JobContext): NbEngineKind =>
  nbEngineKind(parameters, { continuousCovariates: design.continuous.length > 0 });

/** Whether the numbers asked for follow from single cells only. */
const needsCells = (parameters: DeParameters): boolean =>
  parameters.minMu > 0 || parameters.sizeFactorScope === 'per-comparison' || parameters.cooks || parameters.cooksFilter;

/** A block of cells with counts. */
export type CountBlock = GroupBlock & { readonly rows: Extract<GroupBlock['rows'], { counts: unknown }> };

export const isCountBlock = (block: GroupBlock): block is CountBlock => 'counts' in block.rows;

/** One perturbation of a fit task, all of whose cells an engine has seen. */
export interface PerturbedArm {
  readonly group: number;
  /** Its row of the task's results. */
  readonly row: number;
  readonly cells: number;
  /** `GeneStatus.tested` where the NB-GLM is to test a gene, otherwise why it does not. */
  readonly geneStatus: Uint8Array;
}

/** Fits the NB-GLM of a task's perturbations, one after the other, and sets their rows of the results. */
export interface NbEngine {
  /** Starts a perturbation. */
  reset(): void;
  /** Takes some of its cells, in file order; the block is valid during the call only. */
  addRows(block: CountBlock): void;
  /** Fits it, once all its cells were taken. */
  fit(arm: PerturbedArm): Promise<void>;
}
