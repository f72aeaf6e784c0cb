// Profile slopes at dispersions so small that they follow from those at a few larger ones. In α, a gene's slope dP/dx is
// α h(α) with h analytic but for singularities at α = −1/(m s_k): near 0 it is nearly a polynomial.

/** Points that the polynomial passes through: the least ones that are fitted. */
const POINTS: u32 = 7;
/** α m s at the largest of them, at most, with the largest of the group's size factors. */
const REACH: f64 = 0.2;

/** Index of the first point that is to be fitted. mostRate: m times the largest size factor. */
export function firstFitted(alphas: usize, A: u32, mostRate: f64): u32 {
  let below: u32 = 0;
  while (below < A && load<f64>(alphas + (<usize>below << 3)) * mostRate <= REACH) below++;
  return below > POINTS ? below - POINTS : 0;
}

/**
 * Fills in the terms of two genes below the first point that was fitted. terms: f64 A × 2. series: f64 A × A × 7, for each
 * first point and each one below it what the terms of the seven are weighed by.
 */
export function extendBelow(terms: usize, series: usize, A: u32, first: usize): void {
  const known = terms + (first << 4);
  let weights = series + first * <usize>A * (<usize>POINTS << 3);
  for (let target = terms; target < known; target += 16) {
    let sum = f64x2.splat(0.0);
    for (let i: usize = 0; i < POINTS; i++, weights += 8) {
      sum = f64x2.add(sum, f64x2.mul(v128.load64_splat(weights), v128.load(known + (i << 4))));
    }
    v128.store(target, sum);
  }
}
