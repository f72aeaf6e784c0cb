import { InvalidInputError } from '../errors/index.js';
import { nodeLogs, type NodeSet } from '../kernels/index.js';

/** K stays within these; 64 nodes reach 1e-9 for size factors spanning a factor of about 10^5. */
const MIN_NODES = 4;
const MAX_NODES = 64;
/** Nodes must differ: equal size factors get an interval of ±0.01 in log s. */
const MIN_HALF_SPREAD = 0.01;
/** A cell at the very end must not fall outside by the rounding of a logarithm. */
const MARGIN = 1e-12;

/**
 * Chooses how many Chebyshev nodes the range of the size factors needs, and where they lie.
 *
 * The functions to interpolate, log(1 + t s) and its derivatives, are analytic in log s up to poles at distance π from
 * the real line, whatever t is. On an interval of half length h their interpolation error falls as ρ^-K with b = π/h and
 * ρ = b + √(1 + b²). K is the smallest even number from 4 to 64 with ρ^-K at most `tolerance`; where 64 do not reach it,
 * `bound` says what is reached.
 *
 * @throws InvalidInputError when the bounds are not finite and positive
 * @source Trefethen 2013, Approximation Theory and Approximation Practice, theorem 8.2
 */
export function chooseNodes(minSizeFactor: number, maxSizeFactor: number, tolerance = 1e-9): NodeSet {
  if (!(minSizeFactor > 0 && maxSizeFactor >= minSizeFactor && maxSizeFactor < Infinity)) {
    throw new InvalidInputError('size factors must be positive and finite', {
      hint: 'remove cells without counts, or check the column that holds the size factors',
      details: { minSizeFactor, maxSizeFactor },
    });
  }
  const logLow = Math.log(minSizeFactor);
  const logHigh = Math.log(maxSizeFactor);
  const middle = (logLow + logHigh) / 2;
  const half = Math.max((logHigh - logLow) / 2 + MARGIN, MIN_HALF_SPREAD);
  const b = Math.PI / half;
  const rho = b + Math.sqrt(1 + b * b);
  let count = MIN_NODES;
  while (count < MAX_NODES && rho ** -count > tolerance) count += 2;
  const logMin = middle - half;
  const logMax = middle + half;
  return { count, sizeFactors: nodeLogs(count, logMin, logMax).map(Math.exp), logMin, logMax, bound: rho ** -count };
}
