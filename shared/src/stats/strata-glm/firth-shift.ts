import type { LogLinearFit } from './log-linear-fit.js';
import { Complement, type Separation } from './separation.js';

/** Convergence is linear: this is the accuracy of the result. */
const TOLERANCE = 1e-12;
const ITERATION_LIMIT = 100;
const STEP_LIMIT = 2;

/** Firth's estimate of a last coefficient whose maximum-likelihood estimate is infinite. */
export interface FirthShift {
  readonly coefficient: number;
  /** Fisher information of the coefficient there: 1/variance. */
  readonly information: number;
  /** Per row: W at the estimate. */
  readonly fisher: Float64Array;
  readonly converged: boolean;
}

/**
 * The bias-reduced last coefficient where rows without counts leave it without bounds.
 *
 * The rows with a finite η keep their maximum. The others that are finite without the coefficient move together along the one
 * direction d that is left, η_r = η_r0 − e |v_r| with v = x d, and e maximises their Jeffreys-penalised likelihood:
 * Σ |v| W = ½ Σ |v|³ (dW/dη) / Σ v² W. With one stratum it is the estimate of an arm without counts in the two-group fit.
 *
 * @param fit - holds the fit of the finite rows
 * @param inNull - 1 for rows whose η is finite without the last coefficient
 * @param nodeExposures - N_k s_k of each row, nRows × K
 * @returns null where more than one direction is left
 * @source Firth 1993, Biometrika 80:27
 */
export function firthShift(
  fit: LogLinearFit,
  { finite, last }: Separation,
  inNull: ArrayLike<number>,
  nodeExposures: Float64Array,
  alpha: number,
): FirthShift | null {
  const { nRows, level, nLevels, columns, nColumns } = fit.model;
  const sign = last === 'down' ? -1 : 1;
  const base = new Int32Array(nLevels).fill(-1);
  for (let row = nRows - 1; row >= 0; row--) if (finite[row] === 1) base[level[row]] = row;
  const difference = (row: number): Float64Array =>
    Float64Array.from(
      { length: nColumns },
      (_, c) => columns[row * nColumns + c] - columns[base[level[row]] * nColumns + c],
    );
  const left = new Complement(nColumns);
  for (let row = 0; row < nRows; row++) if (finite[row] === 1) left.remove(difference(row));
  const empty = Array.from(finite, (_, row) => row).filter((row) => finite[row] === 0 && inNull[row] === 1);
  const along = left.project(difference(empty[0]));
  const direction = along.map((x) => (sign * x) / along[nColumns - 1]);
  left.remove(along);

  fit.linearPredictor();
  const moved: { readonly row: number; readonly eta: number; readonly v: number }[] = [];
  let counts = 0;
  for (const row of empty) {
    const v = -difference(row).reduce((sum, x, c) => sum + x * direction[c], 0);
    if (!(v > 0) || left.project(difference(row)).some((x) => x !== 0)) return null;
    moved.push({ row, eta: fit.eta[row], v });
    counts += fit.fisherAt(row, nodeExposures, 0, fit.eta[row]).fisher;
  }
  // Without dispersion and with all |v| = 1, half a count is expected there.
  let shift = Math.log(2 * counts);
  const fisher = fit.fisher.slice();
  let converged = false;
  for (let iteration = 0; iteration < ITERATION_LIMIT && !converged; iteration++) {
    let [score, information, slope] = [0, 0, 0];
    for (const { row, eta, v } of moved) {
      const at = fit.fisherAt(row, nodeExposures, alpha, eta - shift * v);
      fisher[row] = at.fisher;
      score += v * at.fisher;
      information += v * v * at.fisher;
      slope += v * v * v * at.slope;
    }
    const step = Math.log((0.5 * slope) / information) - Math.log(score);
    converged = Math.abs(step) < TOLERANCE;
    shift -= Math.min(Math.max(step, -STEP_LIMIT), STEP_LIMIT);
  }
  return {
    coefficient: fit.coefficients[nColumns - 1] + sign * shift,
    information: fit.informationOfLast(fisher),
    fisher,
    converged,
  };
}
