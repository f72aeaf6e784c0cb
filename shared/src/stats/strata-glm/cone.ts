/** A residual below this is none: vectors are differences of dummies, of length near 1. */
const TOLERANCE = 1e-8;

/**
 * Whether a vector is a combination of others with coefficients of 0 or more.
 *
 * Decided by non-negative least squares: the vector is in their cone if nothing of it is left over.
 *
 * @source Lawson & Hanson 1974, Solving Least Squares Problems, 23.3 (algorithm NNLS)
 */
export function isInCone(vector: Float64Array, generators: readonly Float64Array[]): boolean {
  const coefficients = new Float64Array(generators.length);
  const passive: number[] = [];
  let residual = vector;
  while (length(residual) > TOLERANCE) {
    let best = -1;
    let steepest = TOLERANCE;
    generators.forEach((generator, j) => {
      const slope = dot(generator, residual) / length(generator);
      if (!passive.includes(j) && slope > steepest) [best, steepest] = [j, slope];
    });
    if (best < 0) return false;
    passive.push(best);
    for (;;) {
      const solution = leastSquares(
        passive.map((j) => generators[j]),
        vector,
      );
      if (solution.every((x) => x > 0)) {
        passive.forEach((j, i) => (coefficients[j] = solution[i]));
        break;
      }
      // Back to where the first coefficient reaches 0.
      let step = 1;
      passive.forEach((j, i) => {
        if (solution[i] <= 0) step = Math.min(step, coefficients[j] / (coefficients[j] - solution[i]));
      });
      passive.forEach((j, i) => (coefficients[j] += step * (solution[i] - coefficients[j])));
      const kept = passive.filter((j, i) => solution[i] > 0 || coefficients[j] > TOLERANCE);
      for (const j of passive) if (!kept.includes(j)) coefficients[j] = 0;
      passive.splice(0, passive.length, ...kept);
      if (passive.length === 0) break;
    }
    residual = vector.map((x, i) => x - passive.reduce((sum, j) => sum + coefficients[j] * generators[j][i], 0));
    if (!passive.includes(best)) return length(residual) <= TOLERANCE;
  }
  return true;
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, i) => sum + x * b[i], 0);
const length = (a: Float64Array): number => Math.sqrt(dot(a, a));

/** Coefficients of independent vectors that come nearest to a target, by the normal equations. */
function leastSquares(vectors: readonly Float64Array[], target: Float64Array): Float64Array {
  const n = vectors.length;
  const matrix = vectors.map((a) => [...vectors.map((b) => dot(a, b)), dot(a, target)]);
  for (let j = 0; j < n; j++) {
    for (let i = j + 1; i < n; i++) {
      const factor = matrix[i][j] / matrix[j][j];
      for (let k = j; k <= n; k++) matrix[i][k] -= factor * matrix[j][k];
    }
  }
  const solution = new Float64Array(n);
  for (let j = n - 1; j >= 0; j--) {
    let sum = matrix[j][n];
    for (let k = j + 1; k < n; k++) sum -= matrix[j][k] * solution[k];
    solution[j] = sum / matrix[j][j];
  }
  return solution;
}
