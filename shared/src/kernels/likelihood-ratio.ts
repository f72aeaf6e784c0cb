import { INTERCEPT_TOLERANCE, type Intercepts } from './fit-intercepts.js';
import type { KernelHeap } from './kernel-heap.js';
import type { GroupMeasures } from './node-basis.js';

/** Values of every node that the kernel works with. */
const SCRATCH_ROWS = 5;

/** Likelihood ratios of all genes; arrays of nGenes in the heap. */
export interface LikelihoodRatios {
  /** 2 (ℓ_separate − ℓ_pooled); may be negative by rounding. */
  readonly statistic: Float64Array;
  /** η of both arms together; −∞ without any count. */
  readonly pooledEta: Float64Array;
  /** 1 where the pooled fit converged. */
  readonly pooledConverged: Uint8Array;
}

/**
 * Tests, gene by gene, whether two arms share one mean.
 *
 *     LR = 2 Σ_arms [Y (η − η_pool) − Σ_k (S_k + N_k/α) log1p((t − t_pool) s_k/(1 + t_pool s_k))]
 *
 * Only differences are formed, so a small statistic keeps its precision. An arm without counts contributes its supremum
 * (log-likelihood 0 at η = −∞) and not the value at Firth's estimate.
 *
 * @param nodeSizeFactors - s_k; f64 in the heap
 * @param dispersions - α per gene; f64 in the heap
 * @returns arrays in the heap, above its present top. Cost: about 0.14 µs a gene at K = 14.
 */
export function likelihoodRatios(
  heap: KernelHeap,
  nodeSizeFactors: Float64Array,
  dispersions: Float64Array,
  control: { readonly measures: GroupMeasures; readonly fits: Intercepts },
  perturbation: { readonly measures: GroupMeasures; readonly fits: Intercepts },
): LikelihoodRatios {
  const { nGenes, nNodes } = control.measures;
  const result: LikelihoodRatios = {
    statistic: heap.f64(nGenes),
    pooledEta: heap.f64(nGenes),
    pooledConverged: heap.u8(nGenes),
  };
  const scratch = heap.f64(SCRATCH_ROWS * nNodes);
  const arm = (group: typeof control): [number, number, number, number, number] => [
    group.measures.S.byteOffset,
    group.measures.N.byteOffset,
    group.measures.sumCounts.byteOffset,
    group.fits.eta.byteOffset,
    group.fits.mean.byteOffset,
  ];
  heap.exports.likelihoodRatios(
    nGenes,
    nNodes,
    nodeSizeFactors.byteOffset,
    dispersions.byteOffset,
    ...arm(control),
    ...arm(perturbation),
    scratch.byteOffset,
    INTERCEPT_TOLERANCE,
    result.statistic.byteOffset,
    result.pooledEta.byteOffset,
    result.pooledConverged.byteOffset,
  );
  return result;
}
