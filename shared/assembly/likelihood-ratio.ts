// The likelihood-ratio statistic of one perturbation against the control, all genes.

import * as fit from "./intercept";
import { laneSum, log1p2 } from "./vector-math";

/** Below this the dispersion counts as zero: 1/α would overflow, and the Poisson limit is exact to the last bit. */
const POISSON_ALPHA: f64 = 1e-100;
/** Nearer than this the two log1p are taken as one of their ratio, which does not cancel. */
const NEAR: f64 = 1.0;

/** Σ (S + N/α) log1p(x(s_k)), x = t s, or (t − u) s / (1 + u s) when `isRatio`. */
// @ts-ignore: decorator
@inline
function logTerms(S: usize, N: usize, s: usize, K: u32, inverse: f64, t: f64, u: f64, isRatio: bool): f64 {
  const one = f64x2.splat(1.0);
  const gap = f64x2.splat(t - u);
  const base = f64x2.splat(u);
  const r = f64x2.splat(inverse);
  let sum = f64x2.splat(0.0);
  const bytes = <usize>K << 3;
  for (let at: usize = 0; at < bytes; at += 16) {
    const sk = v128.load(s + at);
    let x = f64x2.mul(gap, sk);
    if (isRatio) x = f64x2.div(x, f64x2.add(one, f64x2.mul(base, sk)));
    const weight = f64x2.add(v128.load(S + at), f64x2.mul(r, v128.load(N + at)));
    sum = f64x2.add(sum, f64x2.mul(weight, log1p2(x, f64x2.add(one, x))));
  }
  return laneSum(sum);
}

/**
 * ℓ(η) − ℓ(pooled η) of one arm: Y (η − η_pool) − Σ (S + N/α) log((1 + t s)/(1 + t_pool s)). An arm without counts has
 * its supremum, 0, at η = −∞: there t = 0 and the first term vanishes.
 */
function gain(
  S: usize, N: usize, s: usize, K: u32, alpha: f64, cells: f64, total: f64, eta: f64, pooled: f64,
): f64 {
  const m = total > 0 ? Math.exp(eta) : 0.0;
  const mp = Math.exp(pooled);
  const linear = total > 0 ? total * (eta - pooled) : 0.0;
  if (alpha < POISSON_ALPHA) return linear - (m - mp) * cells;
  const inverse = 1.0 / alpha;
  if (m > 0 && Math.abs(eta - pooled) < NEAR) {
    return linear - logTerms(S, N, s, K, inverse, alpha * m, alpha * mp, true);
  }
  let logs = -logTerms(S, N, s, K, inverse, alpha * mp, 0.0, false);
  if (m > 0) logs += logTerms(S, N, s, K, inverse, alpha * m, 0.0, false);
  return linear - logs;
}

/**
 * For each gene 2 Σ over both arms of `gain`, the pooled η, and whether the pooled fit converged (u8).
 * Measures of arm 0 (control) and 1 (perturbation): S f64 nGenes × K, N f64 K, total f64 nGenes, eta f64 nGenes.
 * scratch: f64 2K. A gene without any count gets 0.
 */
export function likelihoodRatios(
  nGenes: u32, K: u32, s: usize, alpha: usize,
  S0: usize, N0: usize, total0: usize, eta0: usize,
  S1: usize, N1: usize, total1: usize, eta1: usize,
  scratch: usize, tolerance: f64, statistic: usize, pooledEta: usize, pooledConverged: usize,
): void {
  const rowBytes = <usize>K << 3;
  const pooledN = scratch;
  const pooledS = scratch + rowBytes;
  for (let at: usize = 0; at < rowBytes; at += 16) {
    v128.store(pooledN + at, f64x2.add(v128.load(N0 + at), v128.load(N1 + at)));
  }
  const cells0 = fit.exposure(N0, s, K);
  const cells1 = fit.exposure(N1, s, K);
  for (let gene: usize = 0; gene < <usize>nGenes; gene++) {
    const y0 = load<f64>(total0 + (gene << 3));
    const y1 = load<f64>(total1 + (gene << 3));
    if (!(y0 + y1 > 0)) {
      store<f64>(statistic + (gene << 3), 0.0);
      store<f64>(pooledEta + (gene << 3), -Infinity);
      store<u8>(pooledConverged + gene, 1);
      continue;
    }
    const a = load<f64>(alpha + (gene << 3));
    const e0 = load<f64>(eta0 + (gene << 3));
    const e1 = load<f64>(eta1 + (gene << 3));
    const row0 = S0 + gene * rowBytes;
    const row1 = S1 + gene * rowBytes;
    for (let at: usize = 0; at < rowBytes; at += 16) {
      v128.store(pooledS + at, f64x2.add(v128.load(row0 + at), v128.load(row1 + at)));
    }
    // Where the arms agree the pooled η lies between theirs; the Poisson solution is as near and never far off.
    const start = Math.log((y0 + y1) / (cells0 + cells1));
    const pooled = fit.fitIntercept(pooledS, pooledN, s, K, a, start, tolerance);
    const lr = gain(row0, N0, s, K, a, cells0, y0, e0, pooled) + gain(row1, N1, s, K, a, cells1, y1, e1, pooled);
    store<f64>(statistic + (gene << 3), 2.0 * lr);
    store<f64>(pooledEta + (gene << 3), pooled);
    store<u8>(pooledConverged + gene, fit.converged ? 1 : 0);
  }
}
