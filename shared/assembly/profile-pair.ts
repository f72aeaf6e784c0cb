// The slope of the profile log-likelihood of two genes, one in each lane, from one dispersion to the next: nothing is summed
// across lanes, and the chain of dependent operations serves two. What a pair needs from one point to the next lies in
// memory, so that several pairs can take turns.

import { CELL_BYTES, CELLS, excessAt } from "./excess-table";
import * as fit from "./intercept";
import { extendBelow, firstFitted } from "./small-dispersions";
import { bothOf, growth, interleave } from "./vector-math";

/** A Newton step below this is accepted where it is also worth less than VALUE_ACCEPTED in log-likelihood. */
const STEP_ACCEPTED: f64 = 1e-5;
const VALUE_ACCEPTED: f64 = 1e-8;
/** The same for points that those below follow from: what is wrong there grows on the way. */
const OPENING_STEP_ACCEPTED: f64 = 1e-8;
/** Passes from the predicted η before the fit with a bracket takes over; one more pass follows it. */
const PASS_LIMIT: i32 = 6;
const RESCUE_TOLERANCE: f64 = 1e-9;
/** Nearly 2^63: a term beyond it, or none at all, cannot be added. */
const TERM_LIMIT: f64 = 9e18;

/** Values of m before the one that is predicted, and more than its derivatives. */
const HISTORY: usize = 5;
/** Weights of a prediction. */
const WEIGHTS: usize = 8;
/** The first points that are fitted, predicted by polynomials in α from its limit 0 on; in bytes of the grid. */
const OPENING: usize = 7 << 3;

// A pair, in bytes from its beginning. Σ y and 2^q of both genes, their indices, and where fitting begins, in bytes of the
// grid; its arrays follow.
const TOTAL: usize = 0;
const SCALE: usize = 16;
const FIRST: usize = 32;
const SECOND: usize = 36;
const FITTED: usize = 40;
const HEAD_BYTES: usize = 48;

// Of the group at hand: arguments of addProfileGrid, and what all genes have in common.
let rowBytes: usize = 0;
let gridBytes: usize = 0;
let S: usize = 0;
let N: usize = 0;
let s: usize = 0;
let alphas: usize = 0;
let predictors: usize = 0;
let openers: usize = 0;
let series: usize = 0;
/** N s, and 1/α. */
let Ns: usize = 0;
let inverses: usize = 0;
let cells: usize = 0;
let made: usize = 0;
let effectiveCells: f64 = 0;
let largest: f64 = 0;
/** (gene, α) of the group that did not converge. */
export let failures: u32 = 0;

/** Bytes of what a group's genes share. */
export function sharedBytes(K: u32, A: u32): usize {
  return (<usize>K << 3) + (<usize>A << 3) + CELLS + CELLS * CELL_BYTES;
}

/** Bytes of a pair: a multiple of 16. */
export function pairBytes(K: u32, A: u32): usize {
  return HEAD_BYTES + (<usize>K << 4) + ((3 * <usize>A + 2 * HISTORY) << 4);
}

/** S of both genes, node by node. */
// @ts-ignore: decorator
@inline
function measuresOf(pair: usize): usize {
  return pair + HEAD_BYTES;
}

/** m of both genes at each point, behind a history of finite numbers. */
// @ts-ignore: decorator
@inline
function valuesOf(pair: usize): usize {
  return measuresOf(pair) + 2 * rowBytes + (HISTORY << 4);
}

/** dm/dx of both genes at each point, and before the first dm/dα, behind as long a history. */
// @ts-ignore: decorator
@inline
function derivativesOf(pair: usize): usize {
  return valuesOf(pair) + 2 * gridBytes + (HISTORY << 4);
}

/** What both genes add at each point, in quanta. */
// @ts-ignore: decorator
@inline
function termsOf(pair: usize): usize {
  return derivativesOf(pair) + 2 * gridBytes;
}

/** Takes up a group. scratch: sharedBytes(K, A); the other arguments are those of addProfileGrid. */
export function openGroup(
  K: u32, measures: usize, weights: usize, sizeFactors: usize,
  A: u32, grid: usize, predictions: usize, openings: usize, extensions: usize, scratch: usize,
): void {
  rowBytes = <usize>K << 3;
  gridBytes = <usize>A << 3;
  S = measures;
  N = weights;
  s = sizeFactors;
  alphas = grid;
  predictors = predictions;
  openers = openings;
  series = extensions;
  Ns = scratch;
  inverses = Ns + rowBytes;
  cells = inverses + gridBytes;
  made = cells + CELLS * CELL_BYTES;
  memory.fill(made, 0, CELLS);
  for (let at: usize = 0; at < rowBytes; at += 8) store<f64>(Ns + at, load<f64>(N + at) * load<f64>(s + at));
  for (let at: usize = 0; at < gridBytes; at += 8) store<f64>(inverses + at, 1.0 / load<f64>(alphas + at));
  effectiveCells = fit.exposure(N, s, K);
  largest = 0;
  for (let at: usize = 0; at < rowBytes; at += 8) largest = max(largest, load<f64>(s + at));
  failures = 0;
}

/**
 * m at the next point: the polynomial through its values at the five points before and its derivatives at the last three, or as
 * many as there are; no more than a factor of 2 away.
 *
 * values, derivatives: the latest, those before it at lower addresses. weights: of the values, then of the derivatives.
 */
// @ts-ignore: decorator
@inline
function predicted(values: usize, derivatives: usize, weights: usize): v128 {
  const m = v128.load(values);
  const late = f64x2.add(
    f64x2.add(f64x2.mul(v128.load64_splat(weights), m), f64x2.mul(v128.load64_splat(weights, 8), v128.load(values - 16))),
    f64x2.add(
      f64x2.mul(v128.load64_splat(weights, 40), v128.load(derivatives)),
      f64x2.mul(v128.load64_splat(weights, 48), v128.load(derivatives - 16)),
    ),
  );
  const early = f64x2.add(
    f64x2.add(
      f64x2.mul(v128.load64_splat(weights, 16), v128.load(values - 32)),
      f64x2.mul(v128.load64_splat(weights, 24), v128.load(values - 48)),
    ),
    f64x2.add(
      f64x2.mul(v128.load64_splat(weights, 32), v128.load(values - 64)),
      f64x2.mul(v128.load64_splat(weights, 56), v128.load(derivatives - 32)),
    ),
  );
  const next = f64x2.add(late, early);
  return f64x2.pmin(f64x2.pmax(next, f64x2.mul(m, f64x2.splat(0.5))), f64x2.mul(m, f64x2.splat(2.0)));
}

/** Takes up two genes, or one twice. totals: Σ y of every gene. @returns fittedOf(pair) */
export function openPair(pair: usize, first: u32, second: u32, totals: usize, scales: usize): usize {
  const measures = measuresOf(pair);
  interleave(S + <usize>first * rowBytes, S + <usize>second * rowBytes, rowBytes, measures);
  const total = bothOf(totals, first, second);
  const m = f64x2.div(total, f64x2.splat(effectiveCells));
  const mostRate = max(f64x2.extract_lane(m, 0), f64x2.extract_lane(m, 1)) * largest;
  const fitted = <usize>firstFitted(alphas, <u32>(gridBytes >> 3), mostRate) << 3;
  // At α = 0: m, which stands where the point before the first would, and dm/dα.
  v128.store(valuesOf(pair) + 2 * fitted - 16, m);
  let slope = f64x2.splat(0.0);
  let squares = f64x2.splat(0.0);
  for (let at: usize = 0; at < rowBytes; at += 8) {
    const node = v128.load64_splat(s + at);
    slope = f64x2.sub(slope, f64x2.mul(v128.load(measures + 2 * at), node));
    squares = f64x2.add(squares, f64x2.mul(v128.load64_splat(Ns + at), node));
  }
  v128.store(pair, total, TOTAL);
  v128.store(pair, bothOf(scales, first, second), SCALE);
  const derivative = f64x2.div(f64x2.mul(f64x2.mul(m, m), f64x2.add(slope, f64x2.mul(m, squares))), total);
  v128.store(derivativesOf(pair) + 2 * fitted - 16, derivative);
  store<u32>(pair, first, FIRST);
  store<u32>(pair, second, SECOND);
  store<usize>(pair, fitted, FITTED);
  return fitted;
}

/** Where fitting begins, in bytes of the grid. */
// @ts-ignore: decorator
@inline
export function fittedOf(pair: usize): usize {
  return load<usize>(pair, FITTED);
}

/**
 * About dη'/dη: what the last step still changes about the slope that predictions rest on, whose error they would pass on
 * threefold from point to point. η' = P/J with P = m Σ N s r u − Σ S r u; the sums that their derivatives need beyond the
 * others are taken as if all nodes had the mean r: Σ N s r² u as Σ N s r u · Σ N s r²/Σ N s r, Σ S r² u as Σ S r u · Σ S r/Σ S.
 */
// @ts-ignore: decorator
@inline
function slopeByEta(
  m: v128, total: v128, A1: v128, AU: v128, Su: v128, Sru: v128, rho: v128, slope: v128, inverse: v128,
): v128 {
  const one = f64x2.splat(1.0);
  const two = f64x2.splat(2.0);
  const Nsrr = f64x2.sub(A1, AU);
  const Nsrru = f64x2.mul(Nsrr, rho);
  const share = f64x2.div(f64x2.sub(total, Su), total);
  const ofP = f64x2.sub(f64x2.mul(two, f64x2.mul(m, Nsrru)), f64x2.mul(Sru, f64x2.sub(f64x2.mul(two, share), one)));
  const ofJ = f64x2.sub(f64x2.mul(m, Nsrr), ofP);
  return f64x2.mul(f64x2.sub(ofP, f64x2.mul(slope, ofJ)), inverse);
}

/** m by the fit with a bracket, for a gene that Newton from the prediction did not bring home. */
function rescue(gene: u32, alpha: f64, total: f64): f64 {
  const start = Math.log(total / effectiveCells);
  return Math.exp(fit.fitIntercept(S + <usize>gene * rowBytes, N, s, <u32>(rowBytes >> 3), alpha, start, RESCUE_TOLERANCE));
}

/** Fits both genes at the grid's point `a`, in bytes, the next one after those that were fitted before. */
// @ts-ignore: decorator
@inline
export function fitPoint(pair: usize, a: usize): void {
  const one = f64x2.splat(1.0);
  const half = f64x2.splat(0.5);
  const measures = measuresOf(pair);
  const values = valuesOf(pair);
  const total = v128.load(pair, TOTAL);
  const alpha = load<f64>(alphas + a);
  const fitted = fittedOf(pair);
  const since = a - fitted;
  const isOpening = since < OPENING;
  const stepAccepted = isOpening ? OPENING_STEP_ACCEPTED : STEP_ACCEPTED;
  const weights = isOpening ? openers + (fitted * (OPENING >> 3) + since) * WEIGHTS : predictors + a * WEIGHTS;
  const derivatives = derivativesOf(pair);
  let m = predicted(values + 2 * a - 16, derivatives + 2 * a - 16, weights);

  let t = one, A1 = one, AU = one, Su = one, Sru = one, score = one, inverse = one, rho = one, step = one;
  for (let pass = 1; ; pass++) {
    t = f64x2.mul(f64x2.splat(alpha), m);
    A1 = f64x2.splat(0.0);
    AU = A1; Su = A1; Sru = A1;
    for (let at: usize = 0; at < rowBytes; at += 16) {
      // Two nodes share a division: 1/a = b/(ab).
      const x0 = f64x2.mul(t, v128.load64_splat(s + at));
      const x1 = f64x2.mul(t, v128.load64_splat(s + at, 8));
      const d0 = f64x2.add(one, x0);
      const d1 = f64x2.add(one, x1);
      const shared = f64x2.div(one, f64x2.mul(d0, d1));
      const r0 = f64x2.mul(d1, shared);
      const r1 = f64x2.mul(d0, shared);
      const u0 = f64x2.mul(x0, r0);
      const u1 = f64x2.mul(x1, r1);
      const su0 = f64x2.mul(v128.load(measures + 2 * at), u0);
      const su1 = f64x2.mul(v128.load(measures + 2 * at, 16), u1);
      Su = f64x2.add(Su, f64x2.add(su0, su1));
      Sru = f64x2.add(Sru, f64x2.add(f64x2.mul(su0, r0), f64x2.mul(su1, r1)));
      const nr0 = f64x2.mul(v128.load64_splat(Ns + at), r0);
      const nr1 = f64x2.mul(v128.load64_splat(Ns + at, 8), r1);
      A1 = f64x2.add(A1, f64x2.add(nr0, nr1));
      AU = f64x2.add(AU, f64x2.add(f64x2.mul(nr0, u0), f64x2.mul(nr1, u1)));
    }
    score = f64x2.sub(f64x2.sub(total, Su), f64x2.mul(m, A1));
    const J = f64x2.add(f64x2.mul(m, f64x2.sub(A1, AU)), Sru);
    // One division for all that is divided by J and by A1.
    const both = f64x2.div(one, f64x2.mul(J, A1));
    inverse = f64x2.mul(A1, both);
    rho = f64x2.mul(f64x2.mul(AU, J), both);
    step = f64x2.mul(score, inverse);
    const accepted = v128.and(
      f64x2.le(f64x2.abs(step), f64x2.splat(stepAccepted)),
      f64x2.le(f64x2.mul(score, step), f64x2.splat(VALUE_ACCEPTED)),
    );
    if (i64x2.all_true(accepted)) break;
    if (pass > PASS_LIMIT) {
      if (i64x2.extract_lane(accepted, 0) == 0) failures++;
      if (!isAlone(pair) && i64x2.extract_lane(accepted, 1) == 0) failures++;
      break;
    }
    if (pass < PASS_LIMIT) {
      // A lane that has arrived stays where it is, whatever its neighbour needs.
      m = v128.bitselect(m, f64x2.mul(m, growth(step)), accepted);
    } else {
      if (i64x2.extract_lane(accepted, 0) == 0) {
        m = f64x2.replace_lane(m, 0, rescue(load<u32>(pair, FIRST), alpha, f64x2.extract_lane(total, 0)));
      }
      if (i64x2.extract_lane(accepted, 1) == 0) {
        m = f64x2.replace_lane(m, 1, rescue(load<u32>(pair, SECOND), alpha, f64x2.extract_lane(total, 1)));
      }
    }
  }
  const slope = f64x2.mul(f64x2.sub(f64x2.mul(m, AU), Sru), inverse);
  const excess = f64x2.replace_lane(
    f64x2.splat(excessAt(f64x2.extract_lane(t, 0), made, cells, N, s, rowBytes)),
    1,
    excessAt(f64x2.extract_lane(t, 1), made, cells, N, s, rowBytes),
  );
  const bend = f64x2.mul(rho, f64x2.add(slope, one));
  const term = f64x2.add(
    f64x2.sub(f64x2.mul(excess, v128.load64_splat(inverses + a)), Su),
    f64x2.sub(f64x2.mul(score, slope), f64x2.mul(half, f64x2.sub(slope, bend))),
  );
  const arrived = f64x2.mul(m, growth(step));
  v128.store(values + 2 * a, arrived);
  const slopeThere = f64x2.add(slope, f64x2.mul(step, slopeByEta(m, total, A1, AU, Su, Sru, rho, slope, inverse)));
  v128.store(derivatives + 2 * a, f64x2.mul(arrived, slopeThere));
  v128.store(termsOf(pair) + 2 * a, f64x2.mul(term, v128.load(pair, SCALE)));
}

// @ts-ignore: decorator
@inline
function isAlone(pair: usize): bool {
  return load<u32>(pair, FIRST) == load<u32>(pair, SECOND);
}

/** Adds what both genes have at every point to their rows of sums. */
export function closePair(pair: usize, sums: usize): void {
  const terms = termsOf(pair);
  extendBelow(terms, series, <u32>(gridBytes >> 3), <u32>(fittedOf(pair) >> 3));
  const row = sums + <usize>load<u32>(pair, FIRST) * gridBytes;
  const other = sums + <usize>load<u32>(pair, SECOND) * gridBytes;
  const isShared = !isAlone(pair);
  for (let a: usize = 0; a < gridBytes; a += 8) {
    if (!addTerm(row + a, load<f64>(terms + 2 * a))) failures++;
    if (isShared && !addTerm(other + a, load<f64>(terms + 2 * a, 8))) failures++;
  }
}

/** Adds round(term · 2^q); false for a term that is no number. */
// @ts-ignore: decorator
@inline
function addTerm(target: usize, scaled: f64): bool {
  if (!(Math.abs(scaled) < TERM_LIMIT)) return false;
  store<i64>(target, load<i64>(target) + <i64>nearest(scaled));
  return true;
}
