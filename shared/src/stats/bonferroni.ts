import { InvariantBrokenError } from '../errors/index.js';

/**
 * Bonferroni adjusted p-values of one family, min(1, m p).
 *
 * NaN stays NaN and is not counted in m. `out` may be `pValues` itself.
 *
 * @param pValues - of [0, 1], or NaN
 * @param nTests - m, when the family is larger than this chunk of it (the whole screen); by default the p-values given
 * @returns m
 * @throws InvariantBrokenError for a p-value outside [0, 1]
 * @source the same as statsmodels 0.15 `multipletests(method="bonferroni")`
 */
export function bonferroni(pValues: Float64Array, out: Float64Array, nTests = countTests(pValues)): number {
  for (let i = 0; i < pValues.length; i++) {
    const p = pValues[i];
    if (p < 0 || p > 1) throw new InvariantBrokenError('a p-value lies outside [0, 1]', { details: { p } });
    out[i] = Math.min(1, nTests * p);
  }
  return nTests;
}

/** The number of p-values that are not NaN: the m of a family. */
export function countTests(pValues: Float64Array): number {
  let count = 0;
  for (let i = 0; i < pValues.length; i++) if (!Number.isNaN(pValues[i])) count++;
  return count;
}
