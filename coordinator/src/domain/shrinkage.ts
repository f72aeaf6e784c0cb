import type { ShrinkPrior } from '@shardex/shared/config';

/** How the fold changes of a results file were shrunk. */
export interface Shrinkage {
  /** `counts`: the negative binomial likelihood; `normal`: its approximation by the fold change and its standard error. */
  readonly likelihood: 'counts' | 'normal';
  readonly prior: ShrinkPrior;
  /** Scale of the Cauchy prior of each result row, natural log. */
  readonly priorScales: Float64Array;
  /** Genes, over all rows, whose posterior has two separate modes: the higher was kept. */
  readonly twoModes: number;
  /** Genes, over all rows, whose mode was not found to its tolerance. */
  readonly notConverged: number;
}

/** Column of obs with the prior's scale of every perturbation. */
export const PRIOR_SCALE_COLUMN = 'shrink_prior_scale';

/** The fields of `uns/shrinkage`; always the same ones, so that they can be replaced in place. */
export function shrinkageUns(shrinkage: Shrinkage): Readonly<Record<string, string | number>> {
  const { likelihood, prior, priorScales, twoModes, notConverged } = shrinkage;
  return {
    method: 'apeglm',
    likelihood,
    prior,
    prior_scale: prior === 'global' ? (priorScales[0] ?? NaN) : NaN,
    genes_with_two_modes: twoModes,
    genes_not_converged: notConverged,
  };
}

/** `shrinkage` of `run.json`. @param perturbations - labels of the result rows */
export function shrinkageRecord(shrinkage: Shrinkage, perturbations: readonly string[]): Record<string, unknown> {
  const { prior, priorScales } = shrinkage;
  const own = Object.fromEntries(perturbations.map((label, row) => [label, priorScales[row]]));
  return { ...shrinkageUns(shrinkage), prior_scale: prior === 'global' ? (priorScales[0] ?? null) : own };
}
