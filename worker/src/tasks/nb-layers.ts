import type { DeParameters } from '@shardex/shared/config';
import type { NbResult } from '@shardex/shared/stats';
import type { FitRows } from './fit-rows.js';

/**
 * Sets the NB-GLM's layers of one perturbation, whichever engine fitted it.
 *
 * @param mean - mean over the perturbed cells of count over size factor, per gene
 */
export function setNbLayers(
  results: FitRows,
  row: number,
  fit: NbResult,
  mean: ArrayLike<number>,
  parameters: DeParameters,
): void {
  const set = (layer: string, values: ArrayLike<number>): void => results.set('nb-glm', layer, row, values);
  set('X', fit.log2FoldChange);
  set('standard_error', fit.standardErrorLog2);
  if (fit.standardErrorRobustLog2 !== null) set('standard_error_robust', fit.standardErrorRobustLog2);
  set('z_score', fit.zScore);
  set('pvalue', fit.pValue);
  set('log10_pvalue', fit.log10PValue);
  set('mean', mean);
  set('status', fit.status);
  if (parameters.layers !== 'crispyx') return;
  const inNaturalLog = (values: Float64Array): Float64Array => values.map((value) => value * Math.LN2);
  set('logfoldchange_raw_ln', inNaturalLog(fit.log2FoldChange));
  set('standard_error_ln', inNaturalLog(fit.standardErrorLog2));
  set('intercept', fit.meanControl.map(Math.log));
  set('converged', fit.converged);
  set('iterations', fit.iterations);
}
