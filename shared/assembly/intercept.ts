// The intercept of one gene in one group, from its measures. Notation of design/statistics: m = e^η, t = αm,
// r_k = 1/(1 + t s_k).

import { laneSum } from "./vector-math";

/** Longest step of η in one iteration: far from the optimum the quadratic model says little. */
const STEP_LIMIT: f64 = 2.0;
const ITERATION_LIMIT: u32 = 60;

// Results of the latest call: WebAssembly functions return one number, and kernels do not allocate.
/** Σ S r. */
export let sumSr: f64 = 0;
/** Σ S r². */
export let sumSrr: f64 = 0;
/** Σ N s r. */
export let sumNsr: f64 = 0;
/** Σ N s r². */
export let sumNsrr: f64 = 0;
/** Fisher information W = m Σ N s r at the result. */
export let fisher: f64 = 0;
/** Observed information J = m Σ N s r² + α m Σ S s r² at the result. */
export let observed: f64 = 0;
export let iterations: u32 = 0;
export let converged: bool = false;

/** One pass over the nodes: the four sums above. S, N, s are f64[K]. */
// @ts-ignore: decorator
@inline
export function nodeSums(S: usize, N: usize, s: usize, K: u32, t: f64): void {
  const one = f64x2.splat(1.0);
  const tt = f64x2.splat(t);
  let a = f64x2.splat(0.0), b = f64x2.splat(0.0), c = f64x2.splat(0.0), d = f64x2.splat(0.0);
  const bytes = <usize>K << 3;
  for (let at: usize = 0; at < bytes; at += 16) {
    const sk = v128.load(s + at);
    const r = f64x2.div(one, f64x2.add(one, f64x2.mul(tt, sk)));
    const sr = f64x2.mul(v128.load(S + at), r);
    const nr = f64x2.mul(f64x2.mul(v128.load(N + at), sk), r);
    a = f64x2.add(a, sr);
    b = f64x2.add(b, f64x2.mul(sr, r));
    c = f64x2.add(c, nr);
    d = f64x2.add(d, f64x2.mul(nr, r));
  }
  sumSr = laneSum(a);
  sumSrr = laneSum(b);
  sumNsr = laneSum(c);
  sumNsrr = laneSum(d);
}

/** Σ N s, the group's effective number of cells. */
export function exposure(N: usize, s: usize, K: u32): f64 {
  let sum = f64x2.splat(0.0);
  const bytes = <usize>K << 3;
  for (let at: usize = 0; at < bytes; at += 16) {
    sum = f64x2.add(sum, f64x2.mul(v128.load(N + at), v128.load(s + at)));
  }
  return laneSum(sum);
}

/**
 * The maximum-likelihood η of a group with counts: the root of U(η) = Σ S r − m Σ N s r, which falls strictly.
 *
 * Newton steps within ±2, kept inside the bracket that the signs of U have shown. The step that meets the tolerance is
 * still taken; W follows it to first order (dW/dη = m Σ N s r²), so what remains is of the order of tolerance².
 * α = 0 is the Poisson model.
 */
export function fitIntercept(
  S: usize, N: usize, s: usize, K: u32, alpha: f64, start: f64, tolerance: f64,
): f64 {
  let eta = start;
  let low: f64 = -Infinity;
  let high: f64 = Infinity;
  converged = false;
  iterations = 0;
  while (iterations < ITERATION_LIMIT) {
    iterations++;
    const m = Math.exp(eta);
    nodeSums(S, N, s, K, alpha * m);
    const score = sumSr - m * sumNsr;
    // α m s r² = r − r², so the second term of J needs no sum of its own.
    observed = m * sumNsrr + (sumSr - sumSrr);
    fisher = m * sumNsr;
    const step = score / observed;
    if (Math.abs(step) < tolerance) {
      converged = true;
      fisher += m * sumNsrr * step;
      return eta + step;
    }
    if (score > 0) low = eta; else high = eta;
    let next = eta + (isNaN(step) ? 0.0 : Math.min(Math.max(step, -STEP_LIMIT), STEP_LIMIT));
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    if (!isFinite(next)) next = eta + (score > 0 ? STEP_LIMIT : -STEP_LIMIT);
    eta = next;
  }
  return eta;
}

/**
 * Firth's bias-reduced η of a group without counts: U + ½ d log W / dη = 0 with U = −W, that is W² = P / 2 where
 * P = m Σ N s r². Solved as F = log W − ½ log(P/2) = 0 from the Poisson solution m Σ N s = ½, which is already exact
 * when all size factors are equal; dF/dη is then ½, and that fixed slope is used. It converges linearly, so its tolerance
 * is that of the result (source: Firth 1993, Biometrika 80:27).
 */
export function fitEmptyIntercept(
  N: usize, s: usize, K: u32, alpha: f64, effectiveCells: f64, tolerance: f64,
): f64 {
  let eta = -Math.log(2.0 * effectiveCells);
  converged = false;
  iterations = 0;
  while (iterations < ITERATION_LIMIT) {
    iterations++;
    const m = Math.exp(eta);
    // N stands in for S: its sums are not used.
    nodeSums(N, N, s, K, alpha * m);
    fisher = m * sumNsr;
    const slope = m * sumNsrr;
    observed = slope;
    const step = Math.log(0.5 * slope) - 2.0 * Math.log(fisher);
    if (Math.abs(step) < tolerance) {
      converged = true;
      fisher += slope * step;
      return eta + step;
    }
    eta += Math.min(Math.max(step, -STEP_LIMIT), STEP_LIMIT);
  }
  return eta;
}
