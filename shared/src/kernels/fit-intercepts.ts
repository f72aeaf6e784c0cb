import type { KernelHeap } from './kernel-heap.js';
import type { GroupMeasures } from './node-basis.js';

/**
 * Newton stops after a step of η below this. Convergence is quadratic and W follows the last step to first order, so η
 * is then right to about 1e-16 times the curvature and W to about 1e-16 relative: at the limit of the sums themselves.
 */
export const INTERCEPT_TOLERANCE = 1e-8;

/** Values of every node that the kernel works with. */
const SCRATCH_ROWS = 4;

const CONVERGED = 1;
const EMPTY = 2;

/** Intercepts of all genes in one group of cells; arrays of nGenes in the heap. */
export interface Intercepts {
  /** η: log of the mean count of a cell with size factor 1. Firth's estimate where the group has no counts. */
  readonly eta: Float64Array;
  /** m = e^η. */
  readonly mean: Float64Array;
  /** Fisher information W of η. */
  readonly fisher: Float64Array;
  /** Observed information J of η. */
  readonly observed: Float64Array;
  /** Newton iterations. */
  readonly iterations: Uint8Array;
  readonly flags: Uint8Array;
}

export const isConverged = (flags: number): boolean => (flags & CONVERGED) !== 0;
export const isEmptyArm = (flags: number): boolean => (flags & EMPTY) !== 0;

/**
 * Fits the intercept of every gene in one group at given dispersions.
 *
 *     0 = Σ_k S_k/(1 + t s_k) − m Σ_k N_k s_k/(1 + t s_k),   m = e^η, t = α m
 *     W = m Σ N_k s_k/(1 + t s_k),   J = m Σ N_k s_k/(1 + t s_k)² + α m Σ S_k s_k/(1 + t s_k)²
 *
 * @param nodeSizeFactors - s_k; f64 in the heap
 * @param dispersions - α per gene, 0 (Poisson) or more; f64 in the heap
 * @returns arrays in the heap, above its present top. Cost: about 0.06 µs a gene at K = 14.
 */
export function fitIntercepts(
  heap: KernelHeap,
  nodeSizeFactors: Float64Array,
  measures: GroupMeasures,
  dispersions: Float64Array,
): Intercepts {
  const { nGenes, nNodes } = measures;
  const fits: Intercepts = {
    eta: heap.f64(nGenes),
    mean: heap.f64(nGenes),
    fisher: heap.f64(nGenes),
    observed: heap.f64(nGenes),
    iterations: heap.u8(nGenes),
    flags: heap.u8(nGenes),
  };
  const scratch = heap.f64(SCRATCH_ROWS * nNodes);
  heap.exports.fitIntercepts(
    nGenes,
    nNodes,
    measures.S.byteOffset,
    measures.N.byteOffset,
    nodeSizeFactors.byteOffset,
    dispersions.byteOffset,
    measures.sumCounts.byteOffset,
    INTERCEPT_TOLERANCE,
    scratch.byteOffset,
    fits.eta.byteOffset,
    fits.mean.byteOffset,
    fits.fisher.byteOffset,
    fits.observed.byteOffset,
    fits.iterations.byteOffset,
    fits.flags.byteOffset,
  );
  return fits;
}
