/**
 * Non-negative coefficients that explain times: least squares of the relative errors, Σ (Σ_j c_j x_ij / t_i − 1)².
 *
 * Relative, because the smallest screen counts as much as the largest; every subset of the terms is solved and the best
 * one without a negative coefficient is taken, which for a handful of terms is the exact optimum.
 *
 * @param {readonly (readonly number[])[]} rows the terms of each observation
 * @param {readonly number[]} times > 0
 * @returns {{ coefficients: number[], residuals: number[] }} residuals relative: (fitted − measured) / measured
 */
export const fitNonNegative = (rows, times) => {
  const terms = rows[0].length;
  const relative = rows.map((row, i) => row.map((value) => value / times[i]));
  let best = { coefficients: new Array(terms).fill(0), loss: times.length };
  for (let subset = 1; subset < 1 << terms; subset++) {
    const chosen = Array.from({ length: terms }, (_, j) => j).filter((j) => (subset >> j) & 1);
    const solution =
      chosen.length > times.length ? null : leastSquares(relative.map((row) => chosen.map((j) => row[j])));
    if (solution === null || solution.some((value) => value < 0)) continue;
    const coefficients = new Array(terms).fill(0);
    chosen.forEach((j, k) => (coefficients[j] = solution[k]));
    const loss = relative.reduce((sum, row) => sum + (dot(row, coefficients) - 1) ** 2, 0);
    // A term more has to earn its place: rounding alone makes every fit a little better.
    if (loss < best.loss - 1e-12) best = { coefficients, loss };
  }
  return { coefficients: best.coefficients, residuals: relative.map((row) => dot(row, best.coefficients) - 1) };
};

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/** Coefficients that bring every row closest to 1, by normal equations over scaled columns; null when they do not tell. */
const leastSquares = (rows) => {
  const n = rows[0].length;
  const scales = Array.from({ length: n }, (_, j) => Math.hypot(...rows.map((row) => row[j])) || 1);
  const scaled = rows.map((row) => row.map((value, j) => value / scales[j]));
  const system = Array.from({ length: n }, (_, j) => [
    ...Array.from({ length: n }, (_, k) => scaled.reduce((sum, row) => sum + row[j] * row[k], 0)),
    scaled.reduce((sum, row) => sum + row[j], 0),
  ]);
  for (let pivot = 0; pivot < n; pivot++) {
    const place = system.slice(pivot).reduce((at, row, i) => {
      return Math.abs(row[pivot]) > Math.abs(system[at][pivot]) ? pivot + i : at;
    }, pivot);
    [system[pivot], system[place]] = [system[place], system[pivot]];
    // Columns that say the same cannot be told apart.
    if (Math.abs(system[pivot][pivot]) < 1e-10) return null;
    for (let i = 0; i < n; i++) {
      if (i === pivot) continue;
      const factor = system[i][pivot] / system[pivot][pivot];
      for (let k = pivot; k <= n; k++) system[i][k] -= factor * system[pivot][k];
    }
  }
  return system.map((row, j) => row[n] / row[j] / scales[j]);
};
