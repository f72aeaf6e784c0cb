// The intercepts of two genes in one group, one in each lane: the same fit as fitIntercept, by steps of m instead of η, so
// that no step needs an exponential. A lane's result does not depend on the gene beside it.

import * as fit from "./intercept";
import { growth, log1p2 } from "./vector-math";

/** Steps before the fit with a bracket takes over. */
const PASS_LIMIT: u32 = 12;

// Results of the latest call, a gene in each lane.
export let eta: v128 = f64x2.splat(0);
/** m = e^η. */
export let mean: v128 = f64x2.splat(0);
/** Fisher and observed information at the result. */
export let fisher: v128 = f64x2.splat(0);
export let observed: v128 = f64x2.splat(0);
/** All bits of a lane that has converged. */
export let converged: v128 = f64x2.splat(0);
/** Of either lane. */
export let iterations0: u32 = 0;
export let iterations1: u32 = 0;

/**
 * measures: S of both genes, node by node. Ns: N s. alpha, total: of both genes, totals positive. exposure: Σ N s.
 * scratch: f64 K.
 */
export function fitPair(
  measures: usize, N: usize, Ns: usize, s: usize, K: u32, alpha: v128, total: v128, exposure: f64, tolerance: f64, scratch: usize,
): void {
  const one = f64x2.splat(1.0);
  const rowBytes = <usize>K << 3;
  const start = f64x2.div(total, f64x2.splat(exposure));
  let m = start;
  let accepted = f64x2.splat(0.0);
  let step = one, Sr = one, Srr = one, Nsr = one, Nsrr = one;
  iterations0 = 0;
  iterations1 = 0;
  for (let pass: u32 = 0; pass < PASS_LIMIT; pass++) {
    const t = f64x2.mul(alpha, m);
    Sr = f64x2.splat(0.0);
    Srr = Sr; Nsr = Sr; Nsrr = Sr;
    for (let at: usize = 0; at < rowBytes; at += 16) {
      // Two nodes share a division: 1/a = b/(ab).
      const d0 = f64x2.add(one, f64x2.mul(t, v128.load64_splat(s + at)));
      const d1 = f64x2.add(one, f64x2.mul(t, v128.load64_splat(s + at, 8)));
      const shared = f64x2.div(one, f64x2.mul(d0, d1));
      const r0 = f64x2.mul(d1, shared);
      const r1 = f64x2.mul(d0, shared);
      const sr0 = f64x2.mul(v128.load(measures + 2 * at), r0);
      const sr1 = f64x2.mul(v128.load(measures + 2 * at, 16), r1);
      const nr0 = f64x2.mul(v128.load64_splat(Ns + at), r0);
      const nr1 = f64x2.mul(v128.load64_splat(Ns + at, 8), r1);
      Sr = f64x2.add(Sr, f64x2.add(sr0, sr1));
      Srr = f64x2.add(Srr, f64x2.add(f64x2.mul(sr0, r0), f64x2.mul(sr1, r1)));
      Nsr = f64x2.add(Nsr, f64x2.add(nr0, nr1));
      Nsrr = f64x2.add(Nsrr, f64x2.add(f64x2.mul(nr0, r0), f64x2.mul(nr1, r1)));
    }
    // α m s r² = r − r², so the second term of J needs no sum of its own.
    observed = f64x2.add(f64x2.mul(m, Nsrr), f64x2.sub(Sr, Srr));
    step = f64x2.div(f64x2.sub(Sr, f64x2.mul(m, Nsr)), observed);
    if (i64x2.extract_lane(accepted, 0) == 0) iterations0++;
    if (i64x2.extract_lane(accepted, 1) == 0) iterations1++;
    accepted = f64x2.lt(f64x2.abs(step), f64x2.splat(tolerance));
    if (i64x2.all_true(accepted)) break;
    // A lane that has arrived stays where it is, whatever its neighbour needs.
    m = v128.bitselect(m, f64x2.mul(m, growth(step)), accepted);
  }
  converged = accepted;
  eta = f64x2.add(log1p2(f64x2.sub(m, one), m), step);
  mean = f64x2.mul(m, growth(step));
  fisher = f64x2.mul(m, f64x2.add(Nsr, f64x2.mul(Nsrr, step)));
  if (i64x2.all_true(accepted)) return;
  if (i64x2.extract_lane(accepted, 0) == 0) iterations0 += rescue(0, measures, N, s, K, alpha, start, tolerance, scratch);
  if (i64x2.extract_lane(accepted, 1) == 0) iterations1 += rescue(1, measures, N, s, K, alpha, start, tolerance, scratch);
}

/** The fit with a bracket, for a lane that did not arrive. @returns its iterations */
function rescue(
  lane: usize, measures: usize, N: usize, s: usize, K: u32, alpha: v128, start: v128, tolerance: f64, scratch: usize,
): u32 {
  for (let at: usize = 0; at < <usize>K << 3; at += 8) store<f64>(scratch + at, load<f64>(measures + 2 * at + (lane << 3)));
  const isFirst = lane == 0;
  const from = Math.log(isFirst ? f64x2.extract_lane(start, 0) : f64x2.extract_lane(start, 1));
  const a = isFirst ? f64x2.extract_lane(alpha, 0) : f64x2.extract_lane(alpha, 1);
  const e = fit.fitIntercept(scratch, N, s, K, a, from, tolerance);
  const mask = isFirst ? i64x2(-1, 0) : i64x2(0, -1);
  eta = v128.bitselect(f64x2.splat(e), eta, mask);
  mean = v128.bitselect(f64x2.splat(Math.exp(e)), mean, mask);
  fisher = v128.bitselect(f64x2.splat(fit.fisher), fisher, mask);
  observed = v128.bitselect(f64x2.splat(fit.observed), observed, mask);
  converged = v128.bitselect(i64x2.splat(fit.converged ? -1 : 0), converged, mask);
  return fit.iterations;
}
