import { armMoments, type ArmMoments, type ArmSums } from './arm-moments.js';
import { GeneStatus } from './gene-status.js';
import { LEAST_EXACT_P } from './least-exact-p.js';
import { log10StudentTwoSided, studentTwoSided } from './student-tail.js';

export interface WelchTest {
  /** Perturbed minus control. */
  readonly meanDifference: number;
  readonly t: number;
  /** Welch–Satterthwaite; NaN where there is no variance. */
  readonly degreesOfFreedom: number;
  readonly pValue: number;
  readonly log10PValue: number;
  readonly status: GeneStatus;
}

/**
 * Welch's t-test of two arms with unequal variances, two-sided.
 *
 *     t = (m₁ − m₂) / sqrt(v₁/n₁ + v₂/n₂),   df = (v₁/n₁ + v₂/n₂)² / ( (v₁/n₁)²/(n₁ − 1) + (v₂/n₂)²/(n₂ − 1) )
 *
 * An arm of fewer than two cells gives NaN and `tooFewCells`. Where neither arm varies the status is `zeroVariance` (or
 * `allZero` if both means are 0) and the numbers are scanpy's: t = 0, p = 1 for equal means; t = ±∞, p = 0 for different
 * ones, which no sampling error explains.
 *
 * @source B. L. Welch 1947; the same as scipy 1.17 `ttest_ind_from_stats(equal_var=False)`, which scanpy 1.11 calls
 */
export function welch(perturbed: ArmMoments, control: ArmMoments): WelchTest {
  const meanDifference = perturbed.mean - control.mean;
  if (perturbed.n < 2 || control.n < 2) {
    const status = GeneStatus.tooFewCells;
    return { meanDifference, t: NaN, degreesOfFreedom: NaN, pValue: NaN, log10PValue: NaN, status };
  }
  const a = perturbed.variance / perturbed.n;
  const b = control.variance / control.n;
  const squaredError = a + b;
  if (squaredError === 0) return withoutVariance(perturbed.mean, control.mean);
  const t = meanDifference / Math.sqrt(squaredError);
  // The shares stay between 0 and 1 where the squares of tiny variances would underflow.
  const shareA = a / squaredError;
  const shareB = b / squaredError;
  const degreesOfFreedom = 1 / ((shareA * shareA) / (perturbed.n - 1) + (shareB * shareB) / (control.n - 1));
  const pValue = studentTwoSided(t, degreesOfFreedom);
  const log10PValue = pValue > LEAST_EXACT_P ? Math.log10(pValue) : log10StudentTwoSided(t, degreesOfFreedom);
  return { meanDifference, t, degreesOfFreedom, pValue, log10PValue, status: GeneStatus.tested };
}

/** `welch` of sums over cells. */
export function welchFromSums(perturbed: ArmSums, control: ArmSums): WelchTest {
  return welch(armMoments(perturbed), armMoments(control));
}

function withoutVariance(mean: number, controlMean: number): WelchTest {
  const meanDifference = mean - controlMean;
  // Two arms of the same value may differ by rounding: their sums have different lengths.
  const isEqual = Math.abs(meanDifference) <= 1e-12 * Math.max(Math.abs(mean), Math.abs(controlMean));
  return {
    meanDifference: isEqual ? 0 : meanDifference,
    t: isEqual ? 0 : Math.sign(meanDifference) * Infinity,
    degreesOfFreedom: NaN,
    pValue: isEqual ? 1 : 0,
    log10PValue: isEqual ? 0 : -Infinity,
    status: mean === 0 && controlMean === 0 ? GeneStatus.allZero : GeneStatus.zeroVariance,
  };
}
