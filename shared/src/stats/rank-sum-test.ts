import type { RankSums } from '../kernels/index.js';
import { GeneStatus } from './gene-status.js';
import { LEAST_EXACT_P } from './least-exact-p.js';
import { log10NormalTwoSided, normalTwoSided } from './normal-tail.js';

export interface RankSumTest {
  /** Area under the ROC curve, U/(n₁n₂): the chance that a perturbed cell exceeds a control cell, ties counting one half. */
  readonly auc: number;
  readonly z: number;
  readonly pValue: number;
  readonly log10PValue: number;
  readonly status: GeneStatus;
}

/**
 * What rank sums say about one gene of one group, by the normal approximation.
 *
 * Where all cells have the same value there is no evidence either way: AUC 0.5, z 0 and p 1, as scanpy reports it (where it
 * divides 0 by 0 and puts 0), and the status is `zeroVariance`, or `allZero` if that value is 0. An empty arm gives NaN and
 * `tooFewCells`.
 *
 * @param at - position in `sums`
 * @param nPerturbed - cells of the group
 * @param nControl - cells of the control
 * @param nExpressing - cells of both with a count
 */
export function rankSumTest(
  sums: RankSums,
  at: number,
  nPerturbed: number,
  nControl: number,
  nExpressing: number,
): RankSumTest {
  if (nPerturbed === 0 || nControl === 0) {
    return { auc: NaN, z: NaN, pValue: NaN, log10PValue: NaN, status: GeneStatus.tooFewCells };
  }
  const z = sums.z[at];
  const pValue = normalTwoSided(z);
  return {
    auc: sums.u[at] / (nPerturbed * nControl),
    z,
    pValue,
    log10PValue: pValue > LEAST_EXACT_P ? Math.log10(pValue) : log10NormalTwoSided(z),
    status: statusOf(sums.tieSums[at], nPerturbed + nControl, nExpressing),
  };
}

function statusOf(tieSum: number, cells: number, nExpressing: number): GeneStatus {
  if (nExpressing === 0) return GeneStatus.allZero;
  // One cell apart takes 3/N off the tie sum of N equal cells; the rounding of either is 1e-15.
  const isOneBlock = tieSum >= (cells - 1) * cells * (cells + 1) * (1 - 1e-12);
  return isOneBlock ? GeneStatus.zeroVariance : GeneStatus.tested;
}
