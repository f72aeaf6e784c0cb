// The intercepts of all genes in one group.

import * as fit from "./intercept";
import * as pair from "./intercept-pair";
import { bothOf, interleave } from "./vector-math";

/** Bits of a gene's flag byte. */
export const CONVERGED: u8 = 1;
export const EMPTY: u8 = 2;

const EMPTY_TOLERANCE: f64 = 1e-12;

// Where results go: f64 nGenes each, and u8 nGenes.
let etas: usize = 0;
let means: usize = 0;
let fishers: usize = 0;
let observeds: usize = 0;
let iterations: usize = 0;
let flags: usize = 0;

function put(gene: usize, eta: f64, mean: f64, fisher: f64, observed: f64, passes: u32, flag: u8): void {
  store<f64>(etas + (gene << 3), eta);
  store<f64>(means + (gene << 3), mean);
  store<f64>(fishers + (gene << 3), fisher);
  store<f64>(observeds + (gene << 3), observed);
  store<u8>(iterations + gene, <u8>passes);
  store<u8>(flags + gene, flag);
}

/** Fits two genes, or one twice. scratch: f64 4 K, the first K of them N s. */
function fitBoth(
  first: usize, second: usize, S: usize, N: usize, s: usize, K: u32, alpha: usize, totals: usize, effectiveCells: f64,
  tolerance: f64, scratch: usize,
): void {
  const rowBytes = <usize>K << 3;
  const spare = scratch + rowBytes;
  const measures = spare + rowBytes;
  interleave(S + first * rowBytes, S + second * rowBytes, rowBytes, measures);
  const alphas = bothOf(alpha, first, second);
  pair.fitPair(measures, N, scratch, s, K, alphas, bothOf(totals, first, second), effectiveCells, tolerance, spare);
  put(first, f64x2.extract_lane(pair.eta, 0), f64x2.extract_lane(pair.mean, 0), f64x2.extract_lane(pair.fisher, 0),
    f64x2.extract_lane(pair.observed, 0), pair.iterations0, <u8>(i64x2.extract_lane(pair.converged, 0) & 1));
  put(second, f64x2.extract_lane(pair.eta, 1), f64x2.extract_lane(pair.mean, 1), f64x2.extract_lane(pair.fisher, 1),
    f64x2.extract_lane(pair.observed, 1), pair.iterations1, <u8>(i64x2.extract_lane(pair.converged, 1) & 1));
}

/**
 * For each gene: η, m = e^η, Fisher W, observed J, iterations (u8) and flags (u8; bit 0 converged, bit 1 no counts).
 * S: f64 nGenes × K. N, s: f64 K. alpha, totals (Σ y): f64 nGenes. scratch: f64 4 K. A gene without counts gets Firth's
 * estimate.
 */
export function fitIntercepts(
  nGenes: u32, K: u32, S: usize, N: usize, s: usize, alpha: usize, totals: usize, tolerance: f64, scratch: usize,
  eta: usize, mean: usize, fisher: usize, observed: usize, iterationsOf: usize, flagsOf: usize,
): void {
  etas = eta;
  means = mean;
  fishers = fisher;
  observeds = observed;
  iterations = iterationsOf;
  flags = flagsOf;
  const effectiveCells = fit.exposure(N, s, K);
  for (let at: usize = 0; at < <usize>K << 3; at += 8) store<f64>(scratch + at, load<f64>(N + at) * load<f64>(s + at));
  const none = <usize>nGenes;
  let first = none;
  for (let gene: usize = 0; gene < none; gene++) {
    if (!(load<f64>(totals + (gene << 3)) > 0)) {
      const e = fit.fitEmptyIntercept(N, s, K, load<f64>(alpha + (gene << 3)), effectiveCells, EMPTY_TOLERANCE);
      put(gene, e, Math.exp(e), fit.fisher, fit.observed, fit.iterations, fit.converged ? EMPTY | CONVERGED : EMPTY);
    } else if (first == none) first = gene;
    else {
      fitBoth(first, gene, S, N, s, K, alpha, totals, effectiveCells, tolerance, scratch);
      first = none;
    }
  }
  if (first < none) fitBoth(first, first, S, N, s, K, alpha, totals, effectiveCells, tolerance, scratch);
}
