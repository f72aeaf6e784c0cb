/** Sums over the cells of one arm, zeros included. */
export interface ArmSums {
  readonly sum: number;
  readonly sumSquares: number;
  /** Cells. */
  readonly n: number;
}

/** Mean and unbiased variance of one arm; NaN where the cells are too few for them. */
export interface ArmMoments {
  readonly mean: number;
  /** Sum of squares about the mean over n − 1. */
  readonly variance: number;
  readonly n: number;
}

/** A rounded sum of n terms is off by at most n/2 ulp, and the product and the subtraction add two more. */
const ROUNDING = 2 ** -52;

/**
 * Mean and variance from sums: variance = (Σx² − (Σx)²/n) / (n − 1).
 *
 * The subtraction loses digits where the mean is far above the spread: the variance's relative error is at most
 * n·2^-53·Σx² / (Σx² − (Σx)²/n), in practice about √n·1e-16 times (1 + mean²/variance); for log1p expression of 10⁵ cells
 * at most 1e-12. A difference within its own rounding error is a spread of zero, as for cells that are all equal.
 */
export function armMoments({ sum, sumSquares, n }: ArmSums): ArmMoments {
  const mean = n > 0 ? sum / n : NaN;
  if (n < 2) return { mean, variance: NaN, n };
  const spread = sumSquares - mean * sum;
  const isResolved = spread > (n + 4) * ROUNDING * sumSquares;
  return { mean, variance: isResolved ? spread / (n - 1) : 0, n };
}
