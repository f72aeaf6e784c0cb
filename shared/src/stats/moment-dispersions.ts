import { LEAST_DISPERSION } from './dispersion-prior.js';

/** Sums over the cells whose dispersions are asked for. */
export interface NormalisedSums {
  readonly nCells: number;
  /** Σ y/s, per gene. */
  readonly sums: ArrayLike<number>;
  /** Σ (y/s)², per gene. */
  readonly sumsOfSquares: ArrayLike<number>;
  /** Σ 1/s. */
  readonly inverseSizeFactors: number;
}

/**
 * Dispersions by the method of moments, on counts over size factors q = y/s: α = (var q − q̄ · mean(1/s))/q̄², at least 1e-8.
 *
 * @returns NaN for genes without counts and for less than two cells
 * @source DESeq2 1.38.3, momentsDispEstimate
 */
export function momentDispersions({ nCells, sums, sumsOfSquares, inverseSizeFactors }: NormalisedSums): Float64Array {
  return Float64Array.from(sumsOfSquares, (square, gene) => {
    const mean = sums[gene] / nCells;
    if (!(mean > 0) || nCells < 2) return NaN;
    const variance = (square - nCells * mean * mean) / (nCells - 1);
    return Math.max((variance - (mean * inverseSizeFactors) / nCells) / (mean * mean), LEAST_DISPERSION);
  });
}
