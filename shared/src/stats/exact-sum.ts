/**
 * Sums of doubles that do not depend on the order of the terms.
 *
 * Each term is rounded once to a multiple of 2^-e. Multiples are whole numbers, and doubles add whole numbers exactly
 * as long as the sum of their magnitudes stays below 2^53; so any grouping of the terms gives the same bits. The price is
 * an error of at most 2^-(e+1) a term.
 */

/** Whole numbers up to here are exact doubles. */
const EXACT_BITS = 53;
/** One bit for the sign of a sum's excursions, one for the rounding of the bound itself. */
const GUARD_BITS = 2;

/**
 * Largest e for which terms whose magnitudes sum to at most `bound` add exactly.
 *
 * @param bound - non-negative and finite; 0 gives the exponent of a bound of 1
 */
export function exactSumExponent(bound: number): number {
  return EXACT_BITS - GUARD_BITS - Math.max(0, Math.ceil(Math.log2(Math.max(bound, 1))));
}

/**
 * Quanta in 1, per gene, for Σ y/s over the cells of the screen: a power of two, so that scaling is exact.
 *
 * A term v enters a sum as the whole number round(v · quanta); the sum is divided by `quanta` at the end.
 *
 * @param geneTotal - Σ y per gene
 * @param smallestSizeFactor - s of the smallest cell, an upper bound of 1/s being 1 over it
 */
export function normalisedSumQuanta(geneTotal: Float64Array, smallestSizeFactor: number): Float64Array {
  return geneTotal.map((total) => 2 ** exactSumExponent(total / smallestSizeFactor));
}

/** The same for Σ (y/s)². */
export function normalisedSquareQuanta(geneTotal: Float64Array, smallestSizeFactor: number): Float64Array {
  return geneTotal.map((total) => 2 ** exactSumExponent((total / smallestSizeFactor) ** 2));
}

/** The same for Σ 1/s, one number. */
export function inverseSizeFactorQuanta(nCells: number, smallestSizeFactor: number): number {
  return 2 ** exactSumExponent(nCells / smallestSizeFactor);
}
