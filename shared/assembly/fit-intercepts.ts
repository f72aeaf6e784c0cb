// The intercepts of all genes in one group.

import * as fit from "./intercept";

/** Bits of a gene's flag byte. */
export const CONVERGED: u8 = 1;
export const EMPTY: u8 = 2;

const EMPTY_TOLERANCE: f64 = 1e-12;

/**
 * For each gene: η, Fisher W, observed J, iterations (u8) and flags (u8; bit 0 converged, bit 1 no counts).
 * S: f64 nGenes × K. N, s: f64 K. alpha, totals (Σ y): f64 nGenes. A gene without counts gets Firth's estimate.
 */
export function fitIntercepts(
  nGenes: u32, K: u32, S: usize, N: usize, s: usize, alpha: usize, totals: usize, tolerance: f64,
  eta: usize, fisher: usize, observed: usize, iterations: usize, flags: usize,
): void {
  const effectiveCells = fit.exposure(N, s, K);
  const rowBytes = <usize>K << 3;
  for (let gene: usize = 0; gene < <usize>nGenes; gene++) {
    const total = load<f64>(totals + (gene << 3));
    const a = load<f64>(alpha + (gene << 3));
    let flag: u8 = 0;
    let e: f64;
    if (total > 0) {
      e = fit.fitIntercept(S + gene * rowBytes, N, s, K, a, Math.log(total / effectiveCells), tolerance);
    } else {
      e = fit.fitEmptyIntercept(N, s, K, a, effectiveCells, EMPTY_TOLERANCE);
      flag = EMPTY;
    }
    if (fit.converged) flag |= CONVERGED;
    store<f64>(eta + (gene << 3), e);
    store<f64>(fisher + (gene << 3), fit.fisher);
    store<f64>(observed + (gene << 3), fit.observed);
    store<u8>(iterations + gene, <u8>fit.iterations);
    store<u8>(flags + gene, flag);
  }
}
