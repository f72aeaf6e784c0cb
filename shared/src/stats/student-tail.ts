import { log10NormalTwoSided, normalTwoSided } from './normal-tail.js';
import erfcx from '@stdlib/math-base-special-erfcx';

/**
 * Two-sided tail of Student's t distribution, p = I_x(df/2, 1/2) with x = df/(df + t²).
 *
 * Relative error below 1e-12 for df from 1 to 1e7 (and any larger df) while p is a normal number, checked against mpmath
 * (test/reference/tails.csv). t = ±∞ gives 0; df = ∞ is the normal distribution; NaN or df ≤ 0 gives NaN.
 */
export function studentTwoSided(t: number, df: number): number {
  if (df === Infinity) return normalTwoSided(t);
  if (!(df > 0) || Number.isNaN(t)) return NaN;
  if (t === 0) return 1;
  if (Math.abs(t) === Infinity) return 0;
  const tail = scaledTail(t, df);
  return Math.min(1, Math.exp(-tail.exponent) * tail.factor);
}

/**
 * log10 of `studentTwoSided(t, df)`, finite where p itself underflows.
 *
 * Error below 1e-12, relative where |log10 p| > 1 and absolute elsewhere. t = ±∞ gives −∞.
 */
export function log10StudentTwoSided(t: number, df: number): number {
  if (df === Infinity) return log10NormalTwoSided(t);
  if (!(df > 0) || Number.isNaN(t)) return NaN;
  if (t === 0) return 0;
  if (Math.abs(t) === Infinity) return -Infinity;
  const tail = scaledTail(t, df);
  return Math.min(0, (Math.log(tail.factor) - tail.exponent) / Math.LN10);
}

/** p = exp(−exponent) · factor, kept apart so that neither underflows. */
interface ScaledTail {
  readonly exponent: number;
  readonly factor: number;
}

/** From here on the expansion in 1/A has converged to 1e-15 with the coefficients below. */
const EXPANSION_MIN_DF = 30;
/** Largest ξ = log(1 + t²/df) for which it has. */
const EXPANSION_MAX_XI = 1;

/**
 * Taylor coefficients c_k, in τ², of sqrt((τ/2)/sinh(τ/2)).
 *
 * @source test/reference/tails.py, `expansion_coefficients`
 */
const COEFFICIENTS = [
  1, -0.020833333333333333, 0.000390625, -7.8796709656084656e-6, 1.6967665791721781e-7, -3.8050641917219066e-9,
  8.7483775963154073e-11, -2.0445233594119738e-12, 4.8333517979677044e-14, -1.1524341017673859e-15,
];

/** c_k Γ(2k + 1/2) / Γ(1/2). */
const COMPLETE_COEFFICIENTS = COEFFICIENTS.map((coefficient, k) => {
  let product = coefficient;
  for (let i = 0; i < 2 * k; i++) product *= i + 0.5;
  return product;
});

function scaledTail(t: number, df: number): ScaledTail {
  const ratio = (t / df) * t;
  const xi = Math.log1p(ratio);
  if (df >= EXPANSION_MIN_DF && xi <= EXPANSION_MAX_XI) return expansion(df, xi);
  const a = 0.5 * df;
  const tail = 1 / (1 + ratio);
  const body = ratio / (1 + ratio);
  if (ratio === Infinity) {
    // t² overflows: x^a is all that is left, and log(1 + t²/df) = 2 log|t| − log df to the last digit.
    const exponent = a * (2 * Math.log(Math.abs(t)) - Math.log(df));
    return { exponent, factor: 1 / (a * halfBeta(a)) };
  }
  if (tail < (a + 1) / (a + 2.5)) {
    const factor = (Math.sqrt(body) / (a * halfBeta(a))) * betaFraction(tail, a, 0.5);
    return { exponent: a * xi, factor };
  }
  // Near the centre p is of order one (above 0.08), and 1 − p is what the fraction gives.
  const inside = ((Math.sqrt(body) * Math.exp(-a * xi)) / (0.5 * halfBeta(a))) * betaFraction(body, 0.5, a);
  return { exponent: 0, factor: 1 - inside };
}

/**
 * The tail for large df, uniformly in t.
 *
 * Substituting x = e^−τ in the incomplete beta integral, with A = df/2 − 1/4 and ξ = log(1 + t²/df),
 *   p = ∫_ξ^∞ e^−Aτ τ^−1/2 h(τ) dτ / ∫_0^∞ (the same),   h(τ) = sqrt((τ/2)/sinh(τ/2)) = Σ c_k τ^2k,
 * so p = Σ c_k Γ(2k + 1/2, Aξ) A^−2k / Σ c_k Γ(2k + 1/2) A^−2k. The incomplete gammas follow from erfcx(√(Aξ)) by
 * Γ(s + 1, y) = s Γ(s, y) + y^s e^−y, in which every term is positive.
 *
 * @source the expansion of DLMF 8.18(ii) (Temme) for b = 1/2, centred so that odd powers vanish
 */
function expansion(df: number, xi: number): ScaledTail {
  const scale = 0.5 * df - 0.25;
  const y = scale * xi;
  // gamma = e^y Γ(s, y) / (Γ(1/2) A^(s − 1/2)), power = ξ^s √A / Γ(1/2); s starts at 1/2.
  let gamma = erfcx(Math.sqrt(y));
  let power = Math.sqrt(y / Math.PI);
  let s = 0.5;
  let sum = gamma;
  const inverse = 1 / scale;
  for (let k = 1; k < COEFFICIENTS.length; k++) {
    for (let twice = 0; twice < 2; twice++) {
      gamma = (s * gamma + power) * inverse;
      power *= xi;
      s += 1;
    }
    const term = COEFFICIENTS[k] * gamma;
    sum += term;
    // Terms fall by at least a factor of five each.
    if (Math.abs(term) < 1e-17 * sum) break;
  }
  return { exponent: y, factor: sum / completeSum(scale) };
}

/** Σ c_k Γ(2k + 1/2) / Γ(1/2) · A^−2k. */
function completeSum(scale: number): number {
  const inverse = 1 / (scale * scale);
  let sum = 0;
  for (let k = COMPLETE_COEFFICIENTS.length - 1; k >= 0; k--) sum = sum * inverse + COMPLETE_COEFFICIENTS[k];
  return sum;
}

/** B(a, 1/2), by the same expansion for large a and by B(a, b) = B(a + 1, b) (a + b)/a below. */
function halfBeta(a: number): number {
  let product = 1;
  while (a < 0.5 * EXPANSION_MIN_DF) {
    product *= (a + 0.5) / a;
    a += 1;
  }
  const scale = a - 0.25;
  return product * Math.sqrt(Math.PI / scale) * completeSum(scale);
}

/**
 * The continued fraction of I_x(a, b) · a B(a, b) / (x^a (1 − x)^b), by the modified Lentz method.
 *
 * @source DLMF 8.17.22; Lentz 1976 as modified by Thompson and Barnett 1986
 */
function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  let c = 1;
  let d = 1 - ((a + b) * x) / (a + 1);
  d = 1 / (Math.abs(d) < tiny ? tiny : d);
  let value = d;
  // Below df = 30, or with x < 0.4, fewer than 60 steps are needed; the cap only bounds the loop.
  for (let m = 1; m <= 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 + even * d;
    c = 1 + even / c;
    d = 1 / (Math.abs(d) < tiny ? tiny : d);
    if (Math.abs(c) < tiny) c = tiny;
    value *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 + odd * d;
    c = 1 + odd / c;
    d = 1 / (Math.abs(d) < tiny ? tiny : d);
    if (Math.abs(c) < tiny) c = tiny;
    const step = d * c;
    value *= step;
    if (Math.abs(step - 1) < 2 ** -52) break;
  }
  return value;
}
