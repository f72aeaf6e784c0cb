import erfcx from '@stdlib/math-base-special-erfcx';

/**
 * Two-sided tail of the standard normal distribution, p = 2 Φ(−|z|) = erfc(|z|/√2).
 *
 * Computed as exp(−z²/2) · erfcx(|z|/√2), which never subtracts. Relative error below 1e-12 while p is a normal number
 * (|z| < 37.5; beyond, p is subnormal and then 0: use `log10NormalTwoSided`). z = ±∞ gives 0, NaN gives NaN.
 *
 * @source erfcx of @stdlib 0.3.1 (S. G. Johnson's Chebyshev pieces); at most 7e-16 from mpmath over [0, 300].
 */
export function normalTwoSided(z: number): number {
  const distance = Math.abs(z);
  if (distance > 40) return 0;
  return Math.min(1, Math.exp(-0.5 * z * z) * erfcx(distance * Math.SQRT1_2));
}

/**
 * log10 of `normalTwoSided(z)`, finite for every finite z with |z| < 1e150.
 *
 * Error below 1e-12, relative where |log10 p| > 1 and absolute elsewhere. z = ±∞ gives −∞, NaN gives NaN.
 */
export function log10NormalTwoSided(z: number): number {
  const distance = Math.abs(z);
  if (distance === Infinity) return -Infinity;
  return Math.min(0, (Math.log(erfcx(distance * Math.SQRT1_2)) - 0.5 * z * z) / Math.LN10);
}
