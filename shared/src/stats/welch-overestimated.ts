import { armMoments, type ArmMoments, type ArmSums } from './arm-moments.js';
import { welch, type WelchTest } from './welch.js';

/**
 * Welch's t-test with the control counted as if it had only as many cells as the perturbation:
 *     t = (m₁ − m₂) / sqrt((v₁ + v₂)/n₁),   df = (n₁ − 1) (v₁ + v₂)² / (v₁² + v₂²).
 *
 * Conservative where the control is the larger, as it nearly always is, and too small a variance where it is not; offered for
 * parity only. The control's variance is that of its own cells. Everything else is as in `welch`.
 *
 * @source scanpy 1.11.5 `rank_genes_groups(method="t-test_overestim_var")`
 */
export function welchOverestimated(perturbed: ArmMoments, control: ArmMoments): WelchTest {
  // An arm of one cell has no variance, whatever it is counted as.
  const n = control.n < 2 ? control.n : perturbed.n;
  return welch(perturbed, { ...control, n });
}

/** `welchOverestimated` of sums over cells. */
export function welchOverestimatedFromSums(perturbed: ArmSums, control: ArmSums): WelchTest {
  return welchOverestimated(armMoments(perturbed), armMoments(control));
}
