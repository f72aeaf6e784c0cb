// The likelihood-ratio statistic of one perturbation against the control, all genes.

import * as fit from "./intercept";
import * as pair from "./intercept-pair";
import { artanhTail, bothOf, laneSum, log1p2 } from "./vector-math";

/** Below this the dispersion counts as zero: 1/α would overflow, and the Poisson limit is exact to the last bit. */
const POISSON_ALPHA: f64 = 1e-100;
/** Nearer than this the two log1p are taken as one of their ratio, which does not cancel. */
const NEAR: f64 = 1.0;
/** Nearer than this, ½ log 2 and a little less, that ratio is between √½ and √2 whatever the node. */
const ADJACENT: f64 = 0.3465;

// Of both arms, 0 the control: measures S f64 nGenes × K and N f64 K, Σ N s, and for each gene Σ y, η and e^η.
let S0: usize = 0;
let N0: usize = 0;
let cells0: f64 = 0;
let totals0: usize = 0;
let etas0: usize = 0;
let means0: usize = 0;
let S1: usize = 0;
let N1: usize = 0;
let cells1: f64 = 0;
let totals1: usize = 0;
let etas1: usize = 0;
let means1: usize = 0;
let alphas: usize = 0;
// Results.
let statistics: usize = 0;
let pooledEtas: usize = 0;
let pooledConvergeds: usize = 0;

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
 * The same of the ratio where it is between √½ and √2, with one division:
 * log((1 + t s)/(1 + u s)) = 2 artanh((t − u) s/(2 + (t + u) s)).
 */
// @ts-ignore: decorator
@inline
function adjacentLogTerms(S: usize, N: usize, s: usize, K: u32, inverse: f64, t: f64, u: f64): f64 {
  const two = f64x2.splat(2.0);
  const gap = f64x2.splat(t - u);
  const both = f64x2.splat(t + u);
  const r = f64x2.splat(inverse);
  let sum = f64x2.splat(0.0);
  const bytes = <usize>K << 3;
  for (let at: usize = 0; at < bytes; at += 16) {
    const sk = v128.load(s + at);
    const x = f64x2.div(f64x2.mul(gap, sk), f64x2.add(two, f64x2.mul(both, sk)));
    const weight = f64x2.add(v128.load(S + at), f64x2.mul(r, v128.load(N + at)));
    sum = f64x2.add(sum, f64x2.mul(weight, f64x2.mul(x, f64x2.add(two, artanhTail(f64x2.mul(x, x))))));
  }
  return laneSum(sum);
}

/** log(m/u) where it is between −ADJACENT and ADJACENT. */
// @ts-ignore: decorator
@inline
function adjacentLog(m: f64, u: f64): f64 {
  const x = (m - u) / (m + u);
  return x * (2.0 + f64x2.extract_lane(artanhTail(f64x2.splat(x * x)), 0));
}

/**
 * ℓ(η) − ℓ(pooled η) of one arm: Y log(m/m_pool) − Σ (S + N/α) log((1 + t s)/(1 + t_pool s)), with m = e^η. An arm without
 * counts has its supremum, 0, at η = −∞: there t = 0 and the first term vanishes. The logarithm is that of the very numbers
 * in the other term: at the maximum an error of η costs nothing, but a difference between η and log m is one of Y times as much.
 */
function gain(
  S: usize, N: usize, s: usize, K: u32, alpha: f64, cells: f64, total: f64, eta: f64, mean: f64, pooled: f64, mp: f64,
): f64 {
  const isEmpty = !(total > 0);
  const m = isEmpty ? 0.0 : mean;
  const distance = Math.abs(eta - pooled);
  const isAdjacent = !isEmpty && distance < ADJACENT;
  const linear = isEmpty ? 0.0 : total * (isAdjacent ? adjacentLog(m, mp) : Math.log(m / mp));
  if (alpha < POISSON_ALPHA) return linear - (m - mp) * cells;
  const inverse = 1.0 / alpha;
  if (isAdjacent) return linear - adjacentLogTerms(S, N, s, K, inverse, alpha * m, alpha * mp);
  if (!isEmpty && distance < NEAR) return linear - logTerms(S, N, s, K, inverse, alpha * m, alpha * mp, true);
  let logs = -logTerms(S, N, s, K, inverse, alpha * mp, 0.0, false);
  if (!isEmpty) logs += logTerms(S, N, s, K, inverse, alpha * m, 0.0, false);
  return linear - logs;
}

/** Sets the results of a gene whose pooled fit is there. */
function put(gene: usize, s: usize, K: u32, pooled: f64, pooledMean: f64, isConverged: bool): void {
  const row = gene * (<usize>K << 3);
  const at = gene << 3;
  const a = load<f64>(alphas + at);
  const lr =
    gain(S0 + row, N0, s, K, a, cells0, load<f64>(totals0 + at), load<f64>(etas0 + at), load<f64>(means0 + at), pooled, pooledMean) +
    gain(S1 + row, N1, s, K, a, cells1, load<f64>(totals1 + at), load<f64>(etas1 + at), load<f64>(means1 + at), pooled, pooledMean);
  store<f64>(statistics + at, 2.0 * lr);
  store<f64>(pooledEtas + at, pooled);
  store<u8>(pooledConvergeds + gene, isConverged ? 1 : 0);
}

/** Fits two genes of both arms together, or one twice, and sets their results. scratch: f64 5 K, of which N and N s of both arms first. */
function testPair(first: usize, second: usize, s: usize, K: u32, tolerance: f64, scratch: usize): void {
  const rowBytes = <usize>K << 3;
  const spare = scratch + 2 * rowBytes;
  const measures = spare + rowBytes;
  const row0 = first * rowBytes;
  const row1 = second * rowBytes;
  for (let at: usize = 0; at < rowBytes; at += 8) {
    store<f64>(measures + 2 * at, load<f64>(S0 + row0 + at) + load<f64>(S1 + row0 + at));
    store<f64>(measures + 2 * at, load<f64>(S0 + row1 + at) + load<f64>(S1 + row1 + at), 8);
  }
  const total = f64x2.add(bothOf(totals0, first, second), bothOf(totals1, first, second));
  // Where the arms agree the pooled η lies between theirs; the Poisson solution that it starts from is as near and never far off.
  pair.fitPair(
    measures, scratch, scratch + rowBytes, s, K, bothOf(alphas, first, second), total, cells0 + cells1, tolerance, spare,
  );
  put(first, s, K, f64x2.extract_lane(pair.eta, 0), f64x2.extract_lane(pair.mean, 0), i64x2.extract_lane(pair.converged, 0) != 0);
  put(second, s, K, f64x2.extract_lane(pair.eta, 1), f64x2.extract_lane(pair.mean, 1), i64x2.extract_lane(pair.converged, 1) != 0);
}

/**
 * For each gene 2 Σ over both arms of `gain`, the pooled η, and whether the pooled fit converged (u8).
 * Measures of arm 0 (control) and 1 (perturbation): S f64 nGenes × K, N f64 K, total, eta and mean (e^η) f64 nGenes.
 * scratch: f64 5 K. A gene without any count gets 0.
 */
export function likelihoodRatios(
  nGenes: u32, K: u32, s: usize, alpha: usize,
  controlS: usize, controlN: usize, controlTotal: usize, controlEta: usize, controlMean: usize,
  perturbedS: usize, perturbedN: usize, perturbedTotal: usize, perturbedEta: usize, perturbedMean: usize,
  scratch: usize, tolerance: f64, statistic: usize, pooledEta: usize, pooledConverged: usize,
): void {
  S0 = controlS;
  N0 = controlN;
  totals0 = controlTotal;
  etas0 = controlEta;
  means0 = controlMean;
  S1 = perturbedS;
  N1 = perturbedN;
  totals1 = perturbedTotal;
  etas1 = perturbedEta;
  means1 = perturbedMean;
  alphas = alpha;
  statistics = statistic;
  pooledEtas = pooledEta;
  pooledConvergeds = pooledConverged;
  cells0 = fit.exposure(N0, s, K);
  cells1 = fit.exposure(N1, s, K);
  const rowBytes = <usize>K << 3;
  for (let at: usize = 0; at < rowBytes; at += 8) {
    const weight = load<f64>(N0 + at) + load<f64>(N1 + at);
    store<f64>(scratch + at, weight);
    store<f64>(scratch + rowBytes + at, weight * load<f64>(s + at));
  }
  const none = <usize>nGenes;
  let first = none;
  for (let gene: usize = 0; gene < none; gene++) {
    if (!(load<f64>(totals0 + (gene << 3)) + load<f64>(totals1 + (gene << 3)) > 0)) {
      store<f64>(statistics + (gene << 3), 0.0);
      store<f64>(pooledEtas + (gene << 3), -Infinity);
      store<u8>(pooledConvergeds + gene, 1);
    } else if (first == none) first = gene;
    else {
      testPair(first, gene, s, K, tolerance, scratch);
      first = none;
    }
  }
  if (first < none) testPair(first, first, s, K, tolerance, scratch);
}
