// The Cox–Reid profile log-likelihood of every gene over a grid of dispersions, summed over groups as integers.

import { exposure } from "./intercept";
import { laneSum, log1p2 } from "./vector-math";

/**
 * A Newton step below this is accepted and its effect on the objective followed to second order (log-likelihood; 1e-13
 * of it remains) and first order (log W; 1e-9 remains).
 */
const STEP_ACCEPTED: f64 = 1e-4;
const ITERATION_LIMIT: i32 = 60;
const STEP_LIMIT: f64 = 2.0;

// Results of the latest pass over the nodes, r = 1/(1 + t s).
let sumSr: f64 = 0;
let sumSrr: f64 = 0;
let sumNsr: f64 = 0;
let sumNsrr: f64 = 0;
/** Σ (S + N/α) log1p(t s). */
let sumLogs: f64 = 0;

/**
 * All sums of one point in one pass. Nine times in ten the first pass is the last, so the logarithms are taken along:
 * they share 1 + t s with the rest.
 */
// @ts-ignore: decorator
@inline
function passNodes(S: usize, N: usize, s: usize, bytes: usize, t: f64, inverseAlpha: f64): void {
  const one = f64x2.splat(1.0);
  const tt = f64x2.splat(t);
  const inverse = f64x2.splat(inverseAlpha);
  let a = f64x2.splat(0.0), b = f64x2.splat(0.0), c = f64x2.splat(0.0), d = f64x2.splat(0.0), logs = f64x2.splat(0.0);
  for (let at: usize = 0; at < bytes; at += 16) {
    const Sk = v128.load(S + at);
    const Nk = v128.load(N + at);
    const sk = v128.load(s + at);
    const x = f64x2.mul(tt, sk);
    const u = f64x2.add(one, x);
    const r = f64x2.div(one, u);
    const sr = f64x2.mul(Sk, r);
    const nr = f64x2.mul(f64x2.mul(Nk, sk), r);
    a = f64x2.add(a, sr);
    b = f64x2.add(b, f64x2.mul(sr, r));
    c = f64x2.add(c, nr);
    d = f64x2.add(d, f64x2.mul(nr, r));
    logs = f64x2.add(logs, f64x2.mul(f64x2.add(Sk, f64x2.mul(inverse, Nk)), log1p2(x, u)));
  }
  sumSr = laneSum(a);
  sumSrr = laneSum(b);
  sumNsr = laneSum(c);
  sumNsrr = laneSum(d);
  sumLogs = laneSum(logs);
}

/**
 * Adds one group to sums (i64 nGenes × A, gene-major):
 *     round(2^q · [Y(η − η_P) − Σ (S + N/α) log1p(t s) + Y − ½ log(W/Y)])
 * with η the maximum at that α. Everything is relative to the Poisson solution η_P = log(Y/Σ N s), which is constant in
 * α and keeps the numbers small. alphas: f64 A, ascending; logAlphas: their logarithms. scales: f64 nGenes, 2^q.
 * Genes without counts add nothing. Returns the number of (gene, α) that did not converge.
 */
export function addProfileGrid(
  nGenes: u32, K: u32, S: usize, N: usize, s: usize, totals: usize,
  A: u32, alphas: usize, logAlphas: usize, scales: usize, sums: usize,
): u32 {
  const effectiveCells = exposure(N, s, K);
  const rowBytes = <usize>K << 3;
  let failures: u32 = 0;
  for (let gene: usize = 0; gene < <usize>nGenes; gene++) {
    const total = load<f64>(totals + (gene << 3));
    if (!(total > 0)) continue;
    const row = S + gene * rowBytes;
    const scale = load<f64>(scales + (gene << 3));
    const poisson = Math.log(total / effectiveCells);
    let eta = poisson;
    // dη/d log α at this and the previous grid point, and the distance between them: a two-step Adams predictor.
    let slope: f64 = 0, previousSlope: f64 = 0, previousGap: f64 = 0;
    for (let a: usize = 0; a < <usize>A; a++) {
      const alpha = load<f64>(alphas + (a << 3));
      if (a > 0) {
        const gap = load<f64>(logAlphas + (a << 3)) - load<f64>(logAlphas + ((a - 1) << 3));
        const bend = previousGap > 0 ? (0.5 * gap * (slope - previousSlope)) / previousGap : 0.0;
        eta += gap * (slope + bend);
        previousSlope = slope;
        previousGap = gap;
      }
      const inverseAlpha = 1.0 / alpha;
      let step: f64 = 0, score: f64 = 0, information: f64 = 0, m: f64 = 0;
      let low: f64 = -Infinity, high: f64 = Infinity;
      let left = ITERATION_LIMIT;
      for (; left > 0; left--) {
        m = Math.exp(eta);
        passNodes(row, N, s, rowBytes, alpha * m, inverseAlpha);
        score = sumSr - m * sumNsr;
        information = m * sumNsrr + (sumSr - sumSrr);
        step = score / information;
        if (Math.abs(step) < STEP_ACCEPTED) break;
        if (score > 0) low = eta; else high = eta;
        let next = eta + Math.min(Math.max(step, -STEP_LIMIT), STEP_LIMIT);
        if (!(next > low && next < high)) next = 0.5 * (low + high);
        eta = next;
      }
      if (left == 0) failures++;
      slope = (m * (sumNsr - sumNsrr) - (sumSr - sumSrr)) / information;
      const fisher = m * (sumNsr + sumNsrr * step);
      const term = total * (eta - poisson + 1.0) - sumLogs + 0.5 * score * step - 0.5 * Math.log(fisher / total);
      eta += step;
      const target = sums + ((gene * <usize>A + a) << 3);
      store<i64>(target, load<i64>(target) + <i64>nearest(term * scale));
    }
  }
  return failures;
}

/** target[i] += source[i] for n 64-bit integers: how profile sums of several tasks are put together. */
export function addIntegers(target: usize, source: usize, n: u32): void {
  for (let i: usize = 0; i < <usize>n << 3; i += 8) store<i64>(target + i, load<i64>(target + i) + load<i64>(source + i));
}
