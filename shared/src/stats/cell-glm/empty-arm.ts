import type { ComparisonCells } from './comparison-cells.js';

const TOLERANCE = 1e-12;
const ITERATION_LIMIT = 100;
const STEP_LIMIT = 2;

/** How far an arm without counts lies from the other, natural log. */
export interface EmptyArm {
  readonly eta: number;
  readonly iterations: number;
  readonly converged: boolean;
}

/**
 * Firth's bias-reduced η of an arm without counts whose means are s_i exp(η_row + η), the rows' η given: the root of
 * −W + ½ P/W with W = Σ w, P = Σ w/(1 + αμ), w = μ/(1 + αμ).
 *
 * Solved from the Poisson solution Σ μ = ½ as log W = ½ log(P/2), whose slope ½ is exact for equal means.
 *
 * @param etas - of each row, from the arm that has counts
 * @param counted - 1 for the rows of that arm
 * @source Firth 1993, Biometrika 80:27; the twin of `fitEmptyIntercept` of the kernels
 */
export function fitEmptyArm(cells: ComparisonCells, etas: Float64Array, alpha: number, counted: Uint8Array): EmptyArm {
  const { sizeFactors, rowBegin, exposures } = cells;
  let exposure = 0;
  for (let row = 0; row < etas.length; row++) if (counted[row] === 0) exposure += exposures[row] * Math.exp(etas[row]);
  let eta = -Math.log(2 * exposure);
  for (let iteration = 1; iteration <= ITERATION_LIMIT; iteration++) {
    let [fisher, slope] = [0, 0];
    for (let row = 0; row < etas.length; row++) {
      if (counted[row] === 1) continue;
      const scale = Math.exp(etas[row] + eta);
      for (let place = rowBegin[row]; place < rowBegin[row + 1]; place++) {
        const mu = sizeFactors[place] * scale;
        const r = 1 / (1 + alpha * mu);
        fisher += mu * r;
        slope += mu * r * r;
      }
    }
    const step = Math.log(0.5 * slope) - 2 * Math.log(fisher);
    eta += Math.min(Math.max(step, -STEP_LIMIT), STEP_LIMIT);
    if (Math.abs(step) < TOLERANCE) return { eta, iterations: iteration, converged: true };
  }
  return { eta, iterations: ITERATION_LIMIT, converged: false };
}
