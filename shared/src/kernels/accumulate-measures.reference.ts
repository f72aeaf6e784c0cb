/** Rows of counts in ordinary arrays. */
export interface PlainRows {
  readonly indptr: ArrayLike<number>;
  readonly indices: ArrayLike<number>;
  readonly counts: ArrayLike<number>;
}

export interface PlainMeasures {
  readonly S: Float64Array;
  readonly sumCounts: Float64Array;
  readonly squares?: Float64Array;
}

/**
 * The plain twin of the accumulation kernel: the same sums in the same order, hence the same bits.
 *
 * @param weights - nRows × K, the Lagrange basis of each row
 */
export function accumulateMeasuresReference(
  rows: PlainRows,
  weights: Float64Array,
  nNodes: number,
  into: PlainMeasures,
): void {
  for (let row = 0; row + 1 < rows.indptr.length; row++) {
    for (let i = rows.indptr[row]; i < rows.indptr[row + 1]; i++) {
      const gene = rows.indices[i];
      const count = rows.counts[i];
      into.sumCounts[gene] += count;
      for (let k = 0; k < nNodes; k++) {
        const weight = weights[row * nNodes + k];
        into.S[gene * nNodes + k] += count * weight;
        if (into.squares !== undefined) into.squares[gene * nNodes + k] += count * count * weight;
      }
    }
  }
}

/** The plain twin of the kernel `weightedRowSums`: Σ_k values[row·K + k] weights[k] of each row, even and odd k apart. */
export function weightedRowSumsReference(values: ArrayLike<number>, weights: ArrayLike<number>): number[] {
  return Array.from({ length: values.length / weights.length }, (_, row) => {
    const sums = [0, 0];
    for (let k = 0; k < weights.length; k++) sums[k % 2] += values[row * weights.length + k] * weights[k];
    return sums[0] + sums[1];
  });
}
