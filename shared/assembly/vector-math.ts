// Two numbers at a time, among others their logarithms. Method and coefficients: fdlibm s_log1p.c (Sun Microsystems, 1993, freely usable).

/** Σ of the two lanes. */
// @ts-ignore: decorator
@inline
export function laneSum(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

/** e^x for the small steps of Newton: its error is one more error of a guess. */
// @ts-ignore: decorator
@inline
export function growth(x: v128): v128 {
  const bounded = f64x2.pmin(f64x2.pmax(x, f64x2.splat(-1.0)), f64x2.splat(1.0));
  return f64x2.add(
    f64x2.splat(1.0),
    f64x2.mul(bounded, f64x2.add(f64x2.splat(1.0), f64x2.mul(bounded, f64x2.splat(0.5)))),
  );
}

/** An array's values for two genes, one in each lane. */
// @ts-ignore: decorator
@inline
export function bothOf(array: usize, first: usize, second: usize): v128 {
  return f64x2.replace_lane(v128.load64_splat(array + (first << 3)), 1, load<f64>(array + (second << 3)));
}

/** Two rows of f64, value by value side by side. target: twice the bytes of a row. */
// @ts-ignore: decorator
@inline
export function interleave(row0: usize, row1: usize, rowBytes: usize, target: usize): void {
  for (let at: usize = 0; at < rowBytes; at += 8) {
    store<f64>(target + 2 * at, load<f64>(row0 + at));
    store<f64>(target + 2 * at, load<f64>(row1 + at), 8);
  }
}

/**
 * log(1 + x) in both lanes for finite x > −1, given u = 1 + x; within 2 ulp.
 *
 * u = 2^k · (1 + f) with √½ ≤ 1 + f < √2. With s = f / (2 + f), log(1 + f) = f − (f²/2 − s·(f²/2 + R(s²))). Where k = 0,
 * f is x itself, exactly. Elsewhere |log u| > 0.34, and the rounding of 1 + x, which fdlibm corrects, is left: it is worth
 * less than an ulp there.
 */
// @ts-ignore: decorator
@inline
export function log1p2(x: v128, u: v128): v128 {
  // Adding the distance from √½ to 1 in the bits makes the exponent field step at √2 instead of 2.
  const shifted = i64x2.add(u, i64x2.splat(0x3ff0000000000000 - 0x3fe6a09e00000000));
  const biased = i64x2.shr_u(shifted, 52);
  const reduced = i64x2.add(v128.and(shifted, i64x2.splat(0x000fffffffffffff)), i64x2.splat(0x3fe6a09e00000000));
  // An integer below 2^52 or-ed into the mantissa of 2^52 is 2^52 plus that integer.
  const k = f64x2.sub(v128.or(biased, i64x2.splat(0x4330000000000000)), f64x2.splat(4503599627370496.0 + 1023.0));
  const isUnit = i64x2.eq(biased, i64x2.splat(1023));
  const f = v128.bitselect(x, f64x2.sub(reduced, f64x2.splat(1.0)), isUnit);

  const half = f64x2.mul(f64x2.splat(0.5), f64x2.mul(f, f));
  const s = f64x2.div(f, f64x2.add(f64x2.splat(2.0), f));
  const tail = f64x2.mul(s, f64x2.add(half, artanhTail(f64x2.mul(s, s))));
  return f64x2.add(f64x2.add(f64x2.sub(tail, half), f), f64x2.mul(k, f64x2.splat(6.931471805599453094e-1)));
}

/** R(s²) in 2 artanh(s) = s (2 + R(s²)), for |s| ≤ 3 − 2√2. */
// @ts-ignore: decorator
@inline
export function artanhTail(z: v128): v128 {
  const w = f64x2.mul(z, z);
  const even = f64x2.mul(w, f64x2.add(f64x2.splat(3.999999999940941908e-1), f64x2.mul(w, f64x2.add(
    f64x2.splat(2.222219843214978396e-1), f64x2.mul(w, f64x2.splat(1.531383769920937332e-1))))));
  const odd = f64x2.mul(z, f64x2.add(f64x2.splat(6.666666666666735130e-1), f64x2.mul(w, f64x2.add(
    f64x2.splat(2.857142874366239149e-1), f64x2.mul(w, f64x2.add(
      f64x2.splat(1.818357216161805012e-1), f64x2.mul(w, f64x2.splat(1.479819860511658591e-1))))))));
  return f64x2.add(even, odd);
}

/** out[i] = log(1 + x[i]) for an even n; how the tests reach `log1p2`. */
export function log1pArray(x: usize, out: usize, n: u32): void {
  for (let i: usize = 0; i < <usize>n << 3; i += 16) {
    const v = v128.load(x + i);
    v128.store(out + i, log1p2(v, f64x2.add(f64x2.splat(1.0), v)));
  }
}
