import { isEmptyArm, type GroupMeasures, type Intercepts } from '../kernels/index.js';

/**
 * Huber and White's variance (HC0) of every gene's intercept in one group, Σ_i u_i² / J², with u_i = (y_i − μ_i)/(1 + αμ_i) the
 * cell's share of the score and J the observed information. From measures, with t = α e^η,
 *
 *     Σ_i u_i² = Σ_k [Q_k − 2 m s_k S_k + m² s_k² N_k]/(1 + t s_k)²,   m = e^η
 *
 * It holds whatever the variance of the counts is, as long as their mean is s_i e^η.
 *
 * @param squares - Q[j·K + k] = Σ_i y_ij² l_k(log s_i)
 * @param fits - of the group, at the same dispersions
 * @param nodeSizeFactors - s_k
 * @returns nGenes variances, natural log, outside the heap; NaN for a gene without counts in the group
 * @source White 1982, Econometrica 50:1
 */
export function robustVariances(
  measures: GroupMeasures,
  squares: Float64Array,
  fits: Intercepts,
  nodeSizeFactors: Float64Array,
  dispersions: Float64Array,
): Float64Array {
  const { S, N, nNodes } = measures;
  const variances = new Float64Array(measures.nGenes).fill(NaN);
  for (let gene = 0; gene < variances.length; gene++) {
    if (isEmptyArm(fits.flags[gene])) continue;
    const m = Math.exp(fits.eta[gene]);
    let meat = 0;
    for (let k = 0, at = gene * nNodes; k < nNodes; k++, at++) {
      const mu = m * nodeSizeFactors[k];
      const shrink = 1 / (1 + dispersions[gene] * mu);
      meat += (squares[at] - 2 * mu * S[at] + mu * mu * N[k]) * shrink * shrink;
    }
    variances[gene] = Math.max(meat, 0) / fits.observed[gene] ** 2;
  }
  return variances;
}
