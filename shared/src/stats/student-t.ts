import { armMoments, type ArmMoments, type ArmSums } from './arm-moments.js';
import { GeneStatus } from './gene-status.js';
import { LEAST_EXACT_P } from './least-exact-p.js';
import { log10StudentTwoSided, studentTwoSided } from './student-tail.js';
import { welch, type WelchTest } from './welch.js';

/** Student's test has the same numbers as Welch's; only the standard error and the degrees of freedom differ. */
export type StudentTest = WelchTest;

/**
 * Student's t-test of two arms with one common variance, two-sided.
 *
 *     t = (m₁ − m₂) / sqrt(v (1/n₁ + 1/n₂)),   v = ((n₁ − 1) v₁ + (n₂ − 1) v₂) / (n₁ + n₂ − 2),   df = n₁ + n₂ − 2
 *
 * One arm may be a single cell: its mean counts, its variance is not needed. Fewer than three cells in all, or an empty arm,
 * give NaN and `tooFewCells`; where neither arm varies the numbers and the status are those of `welch`.
 *
 * @source Student 1908; the same as scipy 1.17 `ttest_ind_from_stats(equal_var=True)`
 */
export function studentT(perturbed: ArmMoments, control: ArmMoments): StudentTest {
  const meanDifference = perturbed.mean - control.mean;
  const degreesOfFreedom = perturbed.n + control.n - 2;
  if (perturbed.n < 1 || control.n < 1 || degreesOfFreedom < 1) {
    const status = GeneStatus.tooFewCells;
    return { meanDifference, t: NaN, degreesOfFreedom: NaN, pValue: NaN, log10PValue: NaN, status };
  }
  const squares = squaresAboutMean(perturbed) + squaresAboutMean(control);
  // Welch's answer to two arms without variance, a single cell being an arm without variance too.
  if (squares === 0) return welch(constantArm(perturbed), constantArm(control));
  const t = meanDifference / Math.sqrt((squares / degreesOfFreedom) * (1 / perturbed.n + 1 / control.n));
  const pValue = studentTwoSided(t, degreesOfFreedom);
  const log10PValue = pValue > LEAST_EXACT_P ? Math.log10(pValue) : log10StudentTwoSided(t, degreesOfFreedom);
  return { meanDifference, t, degreesOfFreedom, pValue, log10PValue, status: GeneStatus.tested };
}

/** `studentT` of sums over cells. */
export function studentTFromSums(perturbed: ArmSums, control: ArmSums): StudentTest {
  return studentT(armMoments(perturbed), armMoments(control));
}

const squaresAboutMean = ({ n, variance }: ArmMoments): number => (n > 1 ? (n - 1) * variance : 0);

const constantArm = ({ mean }: ArmMoments): ArmMoments => ({ mean, variance: 0, n: 2 });
