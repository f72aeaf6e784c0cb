import type { Intercepts } from './fit-intercepts.js';
import type { KernelHeap } from './kernel-heap.js';
import type { GroupMeasures } from './node-basis.js';

/**
 * A Newton step of β below this many prior scales, and of the intercept below this, ends a search. The step is still
 * taken; what remains is of its square, and the variance, which follows the step's start, is right to about 1e-8.
 */
export const SHRINK_TOLERANCE = 1e-8;

const CONVERGED = 1;
const TWO_MODES = 2;

/** Posterior modes of all genes; arrays of nGenes in the heap, NaN where a gene was left out. Natural logarithms. */
export interface PosteriorModes {
  /** Log fold change β at the mode. */
  readonly beta: Float64Array;
  /** Diagonal element of β in the inverse Hessian of the negative log posterior at the mode. */
  readonly variance: Float64Array;
  /** The control's intercept at the mode. */
  readonly intercept: Float64Array;
  /** Passes over the measures of both arms; 255 stands for more. */
  readonly iterations: Uint8Array;
  readonly flags: Uint8Array;
}

/** Scales of the prior, natural log. */
export interface ShrinkagePrior {
  /** c of the Cauchy prior of β. */
  readonly scale: number;
  /** σ of the normal prior of the control's intercept. */
  readonly interceptScale: number;
}

export const isShrinkageConverged = (flags: number): boolean => (flags & CONVERGED) !== 0;
export const hasTwoModes = (flags: number): boolean => (flags & TWO_MODES) !== 0;

/**
 * Finds, gene by gene, the joint mode over the control's intercept a and the log fold change β of
 *
 *     ℓ₀(a) + ℓ₁(a + β) − a²/(2σ²) − log(1 + β²/c²)
 *
 * and β's variance there, from the measures of both arms. The prior's tails make a second mode possible: the search runs
 * from the likelihood's maximum down and, unless that ends within c of 0, from 0 up, and the higher mode is kept.
 *
 * @param nodeSizeFactors - s_k; f64 in the heap
 * @param dispersions - α per gene; f64 in the heap
 * @param start - β at or near the likelihood's maximum, natural log; NaN leaves the gene out; f64 in the heap
 * @returns arrays in the heap, above its present top. Cost: see `shrinkPerturbation`.
 */
export function posteriorModes(
  heap: KernelHeap,
  nodeSizeFactors: Float64Array,
  dispersions: Float64Array,
  control: { readonly measures: GroupMeasures; readonly fits: Pick<Intercepts, 'eta'> },
  perturbation: GroupMeasures,
  start: Float64Array,
  prior: ShrinkagePrior,
): PosteriorModes {
  const { nGenes, nNodes } = perturbation;
  const modes: PosteriorModes = {
    beta: heap.f64(nGenes),
    variance: heap.f64(nGenes),
    intercept: heap.f64(nGenes),
    iterations: heap.u8(nGenes),
    flags: heap.u8(nGenes),
  };
  const arm = (measures: GroupMeasures): [number, number, number] => [
    measures.S.byteOffset,
    measures.N.byteOffset,
    measures.sumCounts.byteOffset,
  ];
  heap.exports.shrinkGenes(
    nGenes,
    nNodes,
    nodeSizeFactors.byteOffset,
    dispersions.byteOffset,
    ...arm(control.measures),
    control.fits.eta.byteOffset,
    ...arm(perturbation),
    start.byteOffset,
    prior.scale,
    prior.interceptScale,
    SHRINK_TOLERANCE,
    modes.beta.byteOffset,
    modes.variance.byteOffset,
    modes.intercept.byteOffset,
    modes.iterations.byteOffset,
    modes.flags.byteOffset,
  );
  return modes;
}
