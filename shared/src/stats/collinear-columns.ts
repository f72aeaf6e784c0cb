/** A column whose part that no earlier column explains is smaller than this share of its length is a combination of them. */
const SHARE = 1e-6;

/**
 * The columns of a design matrix that are linear combinations of the columns before them.
 *
 * @param gram - XᵀX, p × p, row-major; left as it is
 * @param p - number of columns
 * @returns positions, ascending; a column of zeros is one of them. Cost: p³/3, less where XᵀX has zeros.
 * @source Golub & Van Loan 2013, Matrix Computations, 4.2 (Cholesky, outer-product form), columns without a pivot passed over
 */
export function collinearColumns(gram: Float64Array, p: number): number[] {
  const schur = gram.slice();
  const collinear: number[] = [];
  for (let j = 0; j < p; j++) {
    const pivot = schur[j * p + j];
    if (!(pivot > SHARE * SHARE * gram[j * p + j])) {
      collinear.push(j);
      continue;
    }
    for (let i = j + 1; i < p; i++) {
      const factor = schur[i * p + j] / pivot;
      if (factor === 0) continue;
      for (let k = i; k < p; k++) {
        schur[i * p + k] -= factor * schur[j * p + k];
        schur[k * p + i] = schur[i * p + k];
      }
    }
  }
  return collinear;
}
