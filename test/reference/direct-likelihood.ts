/** Counts of one gene and size factors, cell by cell. */
export interface Cells {
  readonly counts: readonly number[];
  readonly sizeFactors: readonly number[];
}

/**
 * The largest log-likelihood of a negative binomial with means s e^η, without terms that no η changes, and its η: the judge where
 * two programs differ. The score falls in η, so that halving an interval finds its root.
 */
export const largestLogLikelihood = (
  { counts, sizeFactors }: Cells,
  alpha: number,
): { readonly eta: number; readonly logLikelihood: number } => {
  const total = counts.reduce((sum, y) => sum + y, 0);
  if (total === 0) return { eta: -Infinity, logLikelihood: 0 };
  const start = Math.log(total / sizeFactors.reduce((sum, s) => sum + s, 0));
  const score = (eta: number): number =>
    counts.reduce((sum, y, i) => {
      const mu = sizeFactors[i] * Math.exp(eta);
      return sum + (y - mu) / (1 + alpha * mu);
    }, 0);
  let [low, high] = [start - 8, start + 8];
  // 16 · 2^-44 < 1e-12, whose square is what the value at the maximum is off by.
  for (let halving = 0; halving < 44; halving++) {
    const middle = (low + high) / 2;
    if (score(middle) > 0) low = middle;
    else high = middle;
  }
  const logLikelihood = counts.reduce(
    (sum, y, i) => sum + y * low - (y + 1 / alpha) * Math.log1p(alpha * sizeFactors[i] * Math.exp(low)),
    0,
  );
  return { eta: low, logLikelihood };
};
