// The slope in log α of every gene's Cox–Reid profile log-likelihood over a grid of dispersions, summed over groups as
// integers. Two genes at a time (profile-pair.ts), and pairs in turn: while one waits for its latest operation, the
// processor is at the other's.

import { closePair, failures, fitPoint, fittedOf, openGroup, openPair, pairBytes, sharedBytes } from "./profile-pair";

/** Pairs that take turns. */
const PAIRS: usize = 2;

/** Bytes that addProfileGrid needs beside its arguments. */
export function profileScratchBytes(K: u32, A: u32): usize {
  return PAIRS * pairBytes(K, A) + sharedBytes(K, A);
}

/** The next place in `order` from `at` on whose gene has counts, or nGenes. */
// @ts-ignore: decorator
@inline
function nextWithCounts(totals: usize, order: usize, at: usize, nGenes: usize): usize {
  while (at < nGenes && !(load<f64>(totals + (<usize>load<u32>(order + (at << 2)) << 3)) > 0)) at++;
  return at;
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
  const size = pairBytes(K, A);
  const genes = <usize>nGenes;
  const gridBytes = <usize>A << 3;
  memory.fill(scratch, 0, size * PAIRS);
  openGroup(K, S, N, s, A, alphas, predictors, openers, series, scratch + size * PAIRS);
  let place = nextWithCounts(totals, order, 0, genes);
  while (place < genes) {
    let count: usize = 0;
    let begin = gridBytes;
    for (; count < PAIRS && place < genes; count++) {
      const following = nextWithCounts(totals, order, place + 1, genes);
      // The last of an odd number stands in both lanes and is stored once.
      const first = load<u32>(order + (place << 2));
      const second = following < genes ? load<u32>(order + (following << 2)) : first;
      place = following < genes ? nextWithCounts(totals, order, following + 1, genes) : genes;
      begin = min(begin, openPair(scratch + count * size, first, second, totals, scales));
    }
    for (let a = begin; a < gridBytes; a += 8) {
      for (let i: usize = 0; i < count; i++) {
        const pair = scratch + i * size;
        if (a >= fittedOf(pair)) fitPoint(pair, a);
      }
    }
    for (let i: usize = 0; i < count; i++) closePair(scratch + i * size, sums);
  }
  return failures;
}
