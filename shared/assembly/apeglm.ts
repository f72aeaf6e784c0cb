// Posterior modes of the log fold change under apeGLM's prior, all genes of one perturbation.
//
// Per gene, with a the control's intercept and β the log fold change (natural log),
//     F(a, β) = ℓ₀(a) + ℓ₁(a + β) − a²/2σ² − log(1 + β²/c²)
// ℓ is concave, so for every β one a is best and the profile is concave but for the prior on β. Its slope
//     h(β) = U₁(a(β) + β) − 2β/(c² + β²)
// vanishes only between 0 and the likelihood's maximum, at one or (a clear effect that the prior still pulls) two maxima.

import { nodeSums, sumSr, sumSrr, sumNsr, sumNsrr } from "./intercept";
import { laneSum, log1p2 } from "./vector-math";

export const SHRUNK_CONVERGED: u8 = 1;
/** Two separate modes were found, and the higher kept. */
export const SHRUNK_TWO_MODES: u8 = 2;

const ITERATION_LIMIT: i32 = 120;
/** Longest step of a in one iteration. */
const STEP_LIMIT: f64 = 2.0;
/** Above this the intercept is improved before β moves: the slope of the profile is known to second order in it. */
const INTERCEPT_NEAR: f64 = 1e-2;
/** β doubles at most this often in the search for an upper end. */
const EXPANSION_LIMIT: i32 = 12;
/** Modes nearer than this, in units of the prior's scale, are one. */
const SAME_MODE: f64 = 1e-5;
/** Below this the dispersion counts as zero: 1/α would overflow. */
const POISSON_ALPHA: f64 = 1e-100;

// The gene at work.
let S0: usize = 0, N0: usize = 0, S1: usize = 0, N1: usize = 0, s: usize = 0;
let K: u32 = 0;
let alpha: f64 = 0, c2: f64 = 0, interceptPrecision: f64 = 0;
/** Sign of β: everything below works with b = |β|. */
let direction: f64 = 1;

// Results of `evaluate` and `search`.
let intercept: f64 = 0;
/** Newton step of the intercept at fixed b. */
let interceptStep: f64 = 0;
/** J₁ over the whole information on the intercept: −da/dβ. */
let share: f64 = 0;
/** Information on the intercept, its prior included. */
let whole: f64 = 0;
/** Information on β with the intercept profiled out, without the prior of β. */
let information: f64 = 0;
/** h in the direction of b. */
let slope: f64 = 0;
let passes: i32 = 0;
let converged: bool = false;
let modeIntercept: f64 = 0;
let modeVariance: f64 = 0;

/** Second derivative of log(1 + b²/c²): negative beyond b = c. */
// @ts-ignore: decorator
@inline
function priorCurvature(b: f64): f64 {
  const d = c2 + b * b;
  return (2.0 * (c2 - b * b)) / (d * d);
}

/** One pass over both arms at (a, b). */
function evaluate(a: f64, b: f64): void {
  passes++;
  let m = Math.exp(a);
  nodeSums(S0, N0, s, K, alpha * m);
  const u0 = sumSr - m * sumNsr;
  const j0 = m * sumNsrr + (sumSr - sumSrr);
  m = Math.exp(a + direction * b);
  nodeSums(S1, N1, s, K, alpha * m);
  const u1 = sumSr - m * sumNsr;
  const j1 = m * sumNsrr + (sumSr - sumSrr);
  const rest = j0 + interceptPrecision;
  const score = u0 + u1 - a * interceptPrecision;
  whole = rest + j1;
  interceptStep = score / whole;
  share = j1 / whole;
  information = rest * share;
  // To first order the slope at the best a for this b, so a need not be exact.
  slope = direction * (u1 - share * score) - (2.0 * b) / (c2 + b * b);
}

/** `evaluate` at the best a for this b, from `a`: Newton in a bracket. Leaves a in `intercept`. */
function profile(a: f64, b: f64): void {
  let low: f64 = -Infinity, high: f64 = Infinity;
  for (let i = 0; i < ITERATION_LIMIT; i++) {
    evaluate(a, b);
    if (Math.abs(interceptStep) < INTERCEPT_NEAR) break;
    if (interceptStep > 0) low = a; else high = a;
    let next = a + Math.min(Math.max(interceptStep, -STEP_LIMIT), STEP_LIMIT);
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    a = next;
  }
  intercept = a;
}

/**
 * The maximum that Newton reaches from b with intercept a. The slope is positive at low and negative at high and stays so:
 * a step that leaves the bracket, or a point where the profile is convex, halves it. Returns b.
 */
function search(a: f64, b: f64, low: f64, high: f64, tolerance: f64): f64 {
  converged = false;
  const near = tolerance * Math.sqrt(c2);
  for (let i = 0; i < ITERATION_LIMIT; i++) {
    profile(a, b);
    a = intercept;
    // What `slope` neglects is of second order in the step of a.
    if (Math.abs(slope) > interceptStep * interceptStep * whole) {
      if (slope > 0) low = b; else high = b;
    }
    const curvature = information + priorCurvature(b);
    const step = slope / curvature;
    let next = b + step;
    const newton = curvature > 0 && next >= low && next <= high;
    if (!newton) next = 0.5 * (low + high);
    a += interceptStep - share * direction * (next - b);
    if (newton && Math.abs(step) <= near && Math.abs(interceptStep) <= tolerance) {
      converged = true;
      modeIntercept = a;
      modeVariance = 1.0 / curvature;
      return next;
    }
    if (next == b && !newton) break;
    b = next;
  }
  modeIntercept = a;
  modeVariance = 1.0 / (information + priorCurvature(b));
  return b;
}

/** Y η − Σ (S + N/α) log1p(α e^η s) of one arm. */
function logLikelihood(S: usize, N: usize, total: f64, eta: f64): f64 {
  const m = Math.exp(eta);
  const poisson = alpha < POISSON_ALPHA;
  const t = f64x2.splat(alpha * m);
  const inverse = f64x2.splat(poisson ? 0.0 : 1.0 / alpha);
  const mm = f64x2.splat(m);
  const one = f64x2.splat(1.0);
  let sum = f64x2.splat(0.0);
  const bytes = <usize>K << 3;
  for (let at: usize = 0; at < bytes; at += 16) {
    const sk = v128.load(s + at);
    const n = v128.load(N + at);
    if (poisson) {
      sum = f64x2.add(sum, f64x2.mul(mm, f64x2.mul(n, sk)));
    } else {
      const x = f64x2.mul(t, sk);
      const weight = f64x2.add(v128.load(S + at), f64x2.mul(inverse, n));
      sum = f64x2.add(sum, f64x2.mul(weight, log1p2(x, f64x2.add(one, x))));
    }
  }
  return total * eta - laneSum(sum);
}

/** F(a, b) up to a constant. */
function logPosterior(total0: f64, total1: f64, a: f64, b: f64): f64 {
  return logLikelihood(S0, N0, total0, a) + logLikelihood(S1, N1, total1, a + direction * b)
    - 0.5 * a * a * interceptPrecision - Math.log1p((b * b) / c2);
}

/**
 * For each gene β (f64), the variance of its posterior's normal approximation (f64), the intercept (f64), passes over both
 * arms (u8) and flags (u8; bit 0 converged, bit 1 two modes). Measures of both arms as everywhere; eta0: f64 nGenes, start
 * of the control's intercept. start: f64 nGenes, where β's likelihood is highest; NaN leaves a gene out (NaN, flags 0).
 */
export function shrinkGenes(
  nGenes: u32, nNodes: u32, nodes: usize, alphas: usize,
  controlS: usize, controlN: usize, controlTotals: usize, controlEta: usize,
  perturbationS: usize, perturbationN: usize, perturbationTotals: usize, start: usize,
  priorScale: f64, interceptScale: f64, tolerance: f64,
  beta: usize, variance: usize, intercepts: usize, iterations: usize, flags: usize,
): void {
  s = nodes;
  K = nNodes;
  N0 = controlN;
  N1 = perturbationN;
  c2 = priorScale * priorScale;
  interceptPrecision = 1.0 / (interceptScale * interceptScale);
  const rowBytes = <usize>K << 3;
  for (let gene: usize = 0; gene < <usize>nGenes; gene++) {
    const at = gene << 3;
    const likeliest = load<f64>(start + at);
    const total0 = load<f64>(controlTotals + at);
    const total1 = load<f64>(perturbationTotals + at);
    if (!isFinite(likeliest) || !(total0 + total1 > 0)) {
      store<f64>(beta + at, NaN);
      store<f64>(variance + at, NaN);
      store<f64>(intercepts + at, NaN);
      continue;
    }
    S0 = controlS + gene * rowBytes;
    S1 = perturbationS + gene * rowBytes;
    alpha = load<f64>(alphas + at);
    passes = 0;

    // At 0: which way the data point.
    const eta0 = load<f64>(controlEta + at);
    direction = 1.0;
    evaluate(eta0, likeliest);
    profile(eta0 + share * likeliest, 0.0);
    if (slope < 0) {
      direction = -1.0;
      slope = -slope;
    }
    const zeroIntercept = intercept + interceptStep;
    const zeroShare = share;
    const zeroInformation = information;
    const zeroSlope = slope;

    // An upper end: the likelihood's maximum, where only the prior's slope is left, or beyond.
    let high = direction * likeliest;
    if (!(high > 0)) high = slope / zeroInformation + 1e-3;
    profile(direction * likeliest > 0 ? eta0 : zeroIntercept - zeroShare * direction * high, high);
    // Where the slope still rises the maximum farthest from 0 lies beyond: an empty arm, where `likeliest` is no maximum.
    let low: f64 = 0;
    for (let i = 0; slope > 0 && i < EXPANSION_LIMIT; i++) {
      low = high;
      high = 2.0 * high + 1.0;
      profile(intercept - share * direction * (high - low), high);
    }
    const highIntercept = intercept + interceptStep;

    // From the likelihood's maximum down; the first step follows the prior's pull with its curvature majorised.
    let b = low > 0 ? 0.5 * (low + high) : high + slope / (information + 2.0 / (c2 + high * high));
    if (!(b > low)) b = 0.5 * (low + high);
    let mode = search(highIntercept - share * direction * (b - high), b, low, high, tolerance);
    let done = converged;
    let flag: u8 = 0;
    let bestIntercept = modeIntercept;
    let bestVariance = modeVariance;

    // From 0 up, unless the mode found lies where the profile is concave all the way from 0.
    if (mode * mode > c2) {
      // The prior's curvature is largest at 0, so this step stays short of the nearest maximum.
      b = zeroSlope / (zeroInformation + 2.0 / c2);
      if (!(b < high)) b = 0.5 * high;
      const lower = search(zeroIntercept - zeroShare * direction * b, b, 0.0, high, tolerance);
      if (converged && mode - lower > SAME_MODE * priorScale) {
        flag = SHRUNK_TWO_MODES;
        if (!done || logPosterior(total0, total1, modeIntercept, lower) >
          logPosterior(total0, total1, bestIntercept, mode)) {
          mode = lower;
          done = true;
          bestIntercept = modeIntercept;
          bestVariance = modeVariance;
        }
      }
    }
    if (done) flag |= SHRUNK_CONVERGED;
    store<f64>(beta + at, direction * mode);
    store<f64>(variance + at, bestVariance);
    store<f64>(intercepts + at, bestIntercept);
    store<u8>(iterations + gene, <u8>Math.min(passes, 255));
    store<u8>(flags + gene, flag);
  }
}
