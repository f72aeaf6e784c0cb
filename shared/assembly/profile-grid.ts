// The slope in log α of every gene's Cox–Reid profile log-likelihood over a grid of dispersions, summed over groups as
// integers. Two genes at a time, one in each lane: nothing is summed across lanes, and the chain of dependent operations
// from one grid point to the next serves two.

import { CELL_BYTES, CELLS, excessAt } from "./excess-table";
import * as fit from "./intercept";
import { extendBelow, firstFitted } from "./small-dispersions";

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

/** Values of m before the one that is predicted. */
const HISTORY: i32 = 7;
/** Weights of a prediction: of those values, the latest first, and of the slope at the latest. */
const WEIGHT_BYTES: usize = (HISTORY + 1) << 3;
/** The first points that are fitted, predicted by polynomials in α from its limit 0 on; in bytes of the grid. */
const OPENING: usize = <usize>HISTORY << 3;

/** Bytes that addProfileGrid needs beside its arguments. */
export function profileScratchBytes(K: u32, A: u32): usize {
  return (<usize>K << 3) * 3 + (<usize>A << 3) + (<usize>(2 * A + HISTORY) << 4) + CELLS + CELLS * CELL_BYTES;
}

/** e^x for the small steps of Newton: its error is one more error of a guess. */
// @ts-ignore: decorator
@inline
function growth(x: v128): v128 {
  const bounded = f64x2.pmin(f64x2.pmax(x, f64x2.splat(-1.0)), f64x2.splat(1.0));
  return f64x2.add(
    f64x2.splat(1.0),
    f64x2.mul(bounded, f64x2.add(f64x2.splat(1.0), f64x2.mul(bounded, f64x2.splat(0.5)))),
  );
}

/**
 * m at the next point: the polynomial through its values at seven points before and its slope at the last of them, or as many
 * as there are; no more than a factor of 2 away.
 *
 * before: the latest value, those before it at lower addresses.
 */
// @ts-ignore: decorator
@inline
function predicted(before: usize, weights: usize, slope: v128): v128 {
  const m = v128.load(before);
  const late = f64x2.add(
    f64x2.add(f64x2.mul(v128.load64_splat(weights), m), f64x2.mul(v128.load64_splat(weights, 8), v128.load(before - 16))),
    f64x2.add(
      f64x2.mul(v128.load64_splat(weights, 16), v128.load(before - 32)),
      f64x2.mul(v128.load64_splat(weights, 24), v128.load(before - 48)),
    ),
  );
  const early = f64x2.add(
    f64x2.add(
      f64x2.mul(v128.load64_splat(weights, 32), v128.load(before - 64)),
      f64x2.mul(v128.load64_splat(weights, 40), v128.load(before - 80)),
    ),
    f64x2.mul(v128.load64_splat(weights, 48), v128.load(before - 96)),
  );
  const next = f64x2.add(f64x2.add(late, early), f64x2.mul(v128.load64_splat(weights, 56), f64x2.mul(m, slope)));
  return f64x2.pmin(f64x2.pmax(next, f64x2.mul(m, f64x2.splat(0.5))), f64x2.mul(m, f64x2.splat(2.0)));
}

/** The next place in `order` from `at` on whose gene has counts, or nGenes. */
// @ts-ignore: decorator
@inline
function nextWithCounts(totals: usize, order: usize, at: usize, nGenes: usize): usize {
  while (at < nGenes && !(load<f64>(totals + (<usize>load<u32>(order + (at << 2)) << 3)) > 0)) at++;
  return at;
}

/** m by the fit with a bracket, for a lane that Newton from the prediction did not bring home. */
function rescue(row: usize, N: usize, s: usize, K: u32, alpha: f64, start: f64): f64 {
  return Math.exp(fit.fitIntercept(row, N, s, K, alpha, start, RESCUE_TOLERANCE));
}

/** Adds round(term · 2^q); false for a term that is no number. */
// @ts-ignore: decorator
@inline
function addTerm(target: usize, scaled: f64): bool {
  if (!(Math.abs(scaled) < TERM_LIMIT)) return false;
  store<i64>(target, load<i64>(target) + <i64>nearest(scaled));
  return true;
}

/**
 * Adds one group to sums (i64 nGenes × A, gene-major): round(2^q · d/dx [ℓ(η(x), x) − ½ log W(η(x), x)]), x = log α and η(x)
 * the maximum at that α. With r = 1/(1 + t s), u = 1 − r, the sums
 *     U = Σ S r − m Σ N s r,   J = m Σ N s r² + Σ S r u,   η' = (m Σ N s r u − Σ S r u)/J,   ρ = Σ N s r²/Σ N s r
 * give the slope g(t)/α − Σ S u − ½ [η' − (1 − ρ)(1 + η')]: as ∂ℓ/∂η = 0, η' enters the log-likelihood's part only
 * through the last Newton step δ, by U η' (= ∂²ℓ/∂η∂x · δ). Nothing cancels as α → 0, where all of it falls as α does.
 *
 * Where α is small against 1/(m s), all terms follow from those of a few points (small-dispersions.ts) and nothing is fitted.
 *
 * order: u32 nGenes, genes whose totals are alike side by side: two share the first point that is fitted. alphas: f64 A,
 * ascending. predictors: f64 A × 8, what `predicted` weighs by to come to each point. openers: f64 A × 7 × 8, the same for the
 * points that follow one at which fitting begins. series: f64 A × A × 7, weights of small-dispersions.ts. scales: f64 nGenes,
 * 2^q. scratch: profileScratchBytes(K, A). Genes without counts add nothing. Returns the number of (gene, α) that did not converge.
 */
export function addProfileGrid(
  nGenes: u32, K: u32, S: usize, N: usize, s: usize, totals: usize,
  order: usize, A: u32, alphas: usize, predictors: usize, openers: usize, series: usize, scales: usize, scratch: usize, sums: usize,
): u32 {
  const rowBytes = <usize>K << 3;
  const gridBytes = <usize>A << 3;
  const pairs = scratch;
  const Ns = pairs + 2 * rowBytes;
  const inverses = Ns + rowBytes;
  const history = inverses + gridBytes;
  const values = history + (HISTORY << 4);
  const terms = values + 2 * gridBytes;
  const cells = terms + 2 * gridBytes;
  const made = cells + CELLS * CELL_BYTES;
  memory.fill(history, 0, HISTORY << 4);
  memory.fill(made, 0, CELLS);
  for (let at: usize = 0; at < rowBytes; at += 8) store<f64>(Ns + at, load<f64>(N + at) * load<f64>(s + at));
  for (let at: usize = 0; at < gridBytes; at += 8) store<f64>(inverses + at, 1.0 / load<f64>(alphas + at));
  const effectiveCells = fit.exposure(N, s, K);
  let largest: f64 = 0;
  for (let at: usize = 0; at < rowBytes; at += 8) largest = max(largest, load<f64>(s + at));
  const genes = <usize>nGenes;
  const one = f64x2.splat(1.0);
  const half = f64x2.splat(0.5);
  let failures: u32 = 0;

  let place = nextWithCounts(totals, order, 0, genes);
  while (place < genes) {
    const following = nextWithCounts(totals, order, place + 1, genes);
    // The last of an odd number stands in both lanes and is stored once.
    const isPair = following < genes;
    const first = <usize>load<u32>(order + (place << 2));
    const second = isPair ? <usize>load<u32>(order + (following << 2)) : first;
    place = isPair ? nextWithCounts(totals, order, following + 1, genes) : genes;
    const row0 = S + first * rowBytes;
    const row1 = S + second * rowBytes;
    for (let at: usize = 0; at < rowBytes; at += 8) {
      store<f64>(pairs + 2 * at, load<f64>(row0 + at));
      store<f64>(pairs + 2 * at, load<f64>(row1 + at), 8);
    }
    const total = f64x2.replace_lane(f64x2.splat(load<f64>(totals + (first << 3))), 1, load<f64>(totals + (second << 3)));
    const scale = f64x2.replace_lane(f64x2.splat(load<f64>(scales + (first << 3))), 1, load<f64>(scales + (second << 3)));
    let m = f64x2.div(total, f64x2.splat(effectiveCells));
    const mostRate = max(f64x2.extract_lane(m, 0), f64x2.extract_lane(m, 1)) * largest;
    const fitted = <usize>firstFitted(alphas, A, mostRate) << 3;
    // At α = 0: m, which stands where the point before the first would, and d log m/dα.
    v128.store(values + 2 * fitted - 16, m);
    let slope = f64x2.splat(0.0);
    let squares = f64x2.splat(0.0);
    for (let at: usize = 0; at < rowBytes; at += 8) {
      const node = v128.load64_splat(s + at);
      slope = f64x2.sub(slope, f64x2.mul(v128.load(pairs + 2 * at), node));
      squares = f64x2.add(squares, f64x2.mul(v128.load64_splat(Ns + at), node));
    }
    slope = f64x2.div(f64x2.mul(m, f64x2.add(slope, f64x2.mul(m, squares))), total);

    for (let a: usize = fitted; a < gridBytes; a += 8) {
      const alpha = load<f64>(alphas + a);
      const since = a - fitted;
      const isOpening = since < OPENING;
      const stepAccepted = isOpening ? OPENING_STEP_ACCEPTED : STEP_ACCEPTED;
      const weights = isOpening ? openers + (fitted * HISTORY + since) * (HISTORY + 1) : predictors + a * (HISTORY + 1);
      m = predicted(values + 2 * a - 16, weights, slope);

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
          const su0 = f64x2.mul(v128.load(pairs + 2 * at), u0);
          const su1 = f64x2.mul(v128.load(pairs + 2 * at, 16), u1);
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
          if (isPair && i64x2.extract_lane(accepted, 1) == 0) failures++;
          break;
        }
        if (pass < PASS_LIMIT) {
          // A lane that has arrived stays where it is, whatever its neighbour needs.
          m = v128.bitselect(m, f64x2.mul(m, growth(step)), accepted);
        } else {
          if (i64x2.extract_lane(accepted, 0) == 0) {
            const start = Math.log(f64x2.extract_lane(total, 0) / effectiveCells);
            m = f64x2.replace_lane(m, 0, rescue(row0, N, s, K, alpha, start));
          }
          if (i64x2.extract_lane(accepted, 1) == 0) {
            const start = Math.log(f64x2.extract_lane(total, 1) / effectiveCells);
            m = f64x2.replace_lane(m, 1, rescue(row1, N, s, K, alpha, start));
          }
        }
      }
      slope = f64x2.mul(f64x2.sub(f64x2.mul(m, AU), Sru), inverse);
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
      m = f64x2.mul(m, growth(step));
      v128.store(values + 2 * a, m);
      v128.store(terms + 2 * a, f64x2.mul(term, scale));
    }
    extendBelow(terms, series, A, fitted >> 3);
    const row = sums + first * gridBytes;
    const other = sums + second * gridBytes;
    for (let a: usize = 0; a < gridBytes; a += 8) {
      if (!addTerm(row + a, load<f64>(terms + 2 * a))) failures++;
      if (isPair && !addTerm(other + a, load<f64>(terms + 2 * a, 8))) failures++;
    }
  }
  return failures;
}
