/**
 * Least squares of y on [1, x], every equation times its weight w_i, by Householder's reflections of the weighted design.
 *
 * Arithmetic and its order are those of ml-matrix's decomposition, and so are the results, bit for bit: it keeps a row in an
 * array of its own and takes 40 times as long.
 *
 * @returns [a₀, a₁]; null where x does not vary, or there are fewer than two points
 * @source Golub & Van Loan, Matrix Computations, 5.2.1; ml-matrix 6.15, QrDecomposition
 */
export function weightedLine(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  weights: ArrayLike<number>,
): readonly [number, number] | null {
  const n = x.length;
  if (n < 2) return null;
  const first = Float64Array.from(weights);
  const second = first.map((w, i) => w * x[i]);
  const response = first.map((w, i) => w * y[i]);
  const firstNorm = reflect(first, 0);
  if (firstNorm === 0) return null;
  mirror(second, first, 0);
  mirror(response, first, 0);
  const secondNorm = reflect(second, 1);
  if (secondNorm === 0) return null;
  mirror(response, second, 1);
  const slope = response[1] / -secondNorm;
  return [(response[0] - slope * second[0]) / -firstNorm, slope];
}

/** Makes a column below `begin` the vector of its reflection. @returns its norm, with the sign of its first element */
function reflect(column: Float64Array, begin: number): number {
  let norm = 0;
  for (let i = begin; i < column.length; i++) norm = hypotenuse(norm, column[i]);
  if (norm === 0) return 0;
  if (column[begin] < 0) norm = -norm;
  for (let i = begin; i < column.length; i++) column[i] /= norm;
  column[begin] += 1;
  return norm;
}

/** Reflects a column. */
function mirror(column: Float64Array, vector: Float64Array, begin: number): void {
  let product = 0;
  for (let i = begin; i < column.length; i++) product += vector[i] * column[i];
  const scale = -product / vector[begin];
  for (let i = begin; i < column.length; i++) column[i] += scale * vector[i];
}

/** √(a² + b²) without overflow. */
function hypotenuse(a: number, b: number): number {
  if (Math.abs(a) > Math.abs(b)) {
    const ratio = b / a;
    return Math.abs(a) * Math.sqrt(1 + ratio * ratio);
  }
  if (b === 0) return 0;
  const ratio = a / b;
  return Math.abs(b) * Math.sqrt(1 + ratio * ratio);
}
