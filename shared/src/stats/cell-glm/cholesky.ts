/** A pivot below this share of its diagonal element is rounding error: the column depends on those before it. */
const LEAST_PIVOT = 1e-13;

/**
 * Cholesky's decomposition A = L Lᵀ of a symmetric positive semidefinite matrix, in place on the lower triangle.
 *
 * A column that depends on those before it gets a diagonal element of 0 and takes no part in what is solved with the
 * decomposition, whose solutions are then 0 there. Cost: p³/6.
 *
 * @param a - p × p, row-major
 * @returns the rank
 */
export function factorCholesky(a: Float64Array, p: number): number {
  let rank = 0;
  for (let c = 0; c < p; c++) {
    const diagonal = a[c * p + c];
    let pivot = diagonal;
    for (let k = 0; k < c; k++) pivot -= a[c * p + k] * a[c * p + k];
    if (!(pivot > LEAST_PIVOT * diagonal)) {
      a[c * p + c] = 0;
      for (let r = c + 1; r < p; r++) a[r * p + c] = 0;
      continue;
    }
    rank++;
    const root = Math.sqrt(pivot);
    a[c * p + c] = root;
    for (let r = c + 1; r < p; r++) {
      let sum = a[r * p + c];
      for (let k = 0; k < c; k++) sum -= a[r * p + k] * a[c * p + k];
      a[r * p + c] = sum / root;
    }
  }
  return rank;
}

/** Solves L Lᵀ x = b in place, L from `factorCholesky`. */
export function solveCholesky(l: Float64Array, p: number, b: Float64Array): void {
  for (let c = 0; c < p; c++) {
    if (l[c * p + c] === 0) {
      b[c] = 0;
      continue;
    }
    let sum = b[c];
    for (let k = 0; k < c; k++) sum -= l[c * p + k] * b[k];
    b[c] = sum / l[c * p + c];
  }
  for (let c = p - 1; c >= 0; c--) {
    if (l[c * p + c] === 0) continue;
    let sum = b[c];
    for (let k = c + 1; k < p; k++) sum -= l[k * p + c] * b[k];
    b[c] = sum / l[c * p + c];
  }
}

/** The inverse of L Lᵀ, p × p, both triangles; 0 in the columns that take no part. */
export function invertCholesky(l: Float64Array, p: number, inverse: Float64Array): void {
  const column = new Float64Array(p);
  for (let c = 0; c < p; c++) {
    column.fill(0);
    column[c] = 1;
    solveCholesky(l, p, column);
    for (let r = 0; r < p; r++) inverse[r * p + c] = column[r];
  }
}
