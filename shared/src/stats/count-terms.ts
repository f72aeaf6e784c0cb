import { DENSE_COUNTS } from './count-histogram.js';

/** Terms that are summed one by one: l = 1 … 63. */
export const COUNT_TERMS = DENSE_COUNTS - 1;

/** α l/(1 + α l) for l = 1 … 63 at A fixed points of log α: shared by all genes. */
export class CountSlopeTable {
  /** At l and point a: slopes[(l − 1) · stride + a]. */
  readonly slopes: Float64Array;
  /** A, or one more, where A is odd, for a kernel that takes two at a time; 0 there. */
  readonly stride: number;

  constructor(readonly logAlphas: Float64Array) {
    this.stride = logAlphas.length + (logAlphas.length % 2);
    this.slopes = new Float64Array(COUNT_TERMS * this.stride);
    for (let a = 0; a < logAlphas.length; a++) {
      const alpha = Math.exp(logAlphas[a]);
      for (let l = 1; l <= COUNT_TERMS; l++) this.slopes[(l - 1) * this.stride + a] = (alpha * l) / (1 + alpha * l);
    }
  }
}

/** digamma(z) − [log z − 1/(2z)] (6.3.18). */
const digammaTail = (z: number): number => {
  const w = 1 / (z * z);
  return -w * (1 / 12 - w * (1 / 120 - w * (1 / 252 - w * (1 / 240 - w / 132))));
};

/**
 * Σ_{l=64}^{count−1} α l/(1 + α l). With r = 1/α a term is 1 − r/(r + l), and the sum of 1/(r + l) is the difference of
 * digamma at b = r + count and a = r + 64.
 */
export function largeCountSlope(alpha: number, count: number): number {
  const r = 1 / alpha;
  const a = r + DENSE_COUNTS;
  const b = r + count;
  const gap = count - DENSE_COUNTS;
  const harmonic = Math.log1p(gap / a) + (0.5 * gap) / (a * b) + (digammaTail(b) - digammaTail(a));
  return gap - r * harmonic;
}
