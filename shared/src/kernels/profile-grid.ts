import type { KernelHeap } from './kernel-heap.js';
import type { GroupMeasures } from './node-basis.js';

/**
 * Sums over groups of the slope of the Cox–Reid profile log-likelihood in x = log α, per gene and grid point, as 64-bit
 * integers.
 *
 * A group's term at α, with η maximised there, is the derivative of its profile without the part Σ_l C_l log1p(α l), which
 * needs only count histograms. With t = α e^η, u_k = t s_k/(1 + t s_k), W the Fisher and J the observed information,
 *
 *     Σ_k N_k [log1p(t s_k) − u_k]/α − Σ_k S_k u_k − ½ d log W/dx,   d log W/dx = ρ η' − (1 − ρ),   ρ = ∂ log W/∂η
 *
 * where η' = dη/dx = (∂²ℓ/∂η∂x)/J. As ∂ℓ/∂η = 0, the likelihood's part needs no η' (envelope theorem). The first sum depends
 * on t alone: all genes of a group read it from one table, and no gene needs a logarithm or an exponential of its own.
 *
 * A term is rounded once to a multiple of 2^-q_j and added as an integer, so any order and grouping of the groups gives the
 * same bits. Genes without counts in a group add nothing there. Cost: 18 ns a (gene, group, α) at K = 14, and less the
 * rarer the genes are: where α is small against 1/(m s), slopes follow from those at larger α (assembly/small-dispersions.ts).
 */
export class DispersionProfile {
  /** sums[j·A + a] in units of 2^-q_j; i64 in the heap. */
  readonly sums: BigInt64Array;
  private readonly alphas: Float64Array;
  private readonly predictors: Float64Array;
  private readonly openers: Float64Array;
  private readonly series: Float64Array;
  private readonly order: Uint32Array;
  private readonly scales: Float64Array;
  private readonly nodeSizeFactors: Float64Array;

  /**
   * @param heap - everything is allocated here
   * @param logAlphas - A grid points, ascending
   * @param quantumExponents - q_j per gene
   * @param nodeSizeFactors - s_k of the nodes
   */
  constructor(
    private readonly heap: KernelHeap,
    readonly nGenes: number,
    nodeSizeFactors: ArrayLike<number>,
    logAlphas: ArrayLike<number>,
    quantumExponents: ArrayLike<number>,
  ) {
    this.sums = heap.i64(nGenes * logAlphas.length);
    const weights = gridWeights(logAlphas);
    this.alphas = heap.copyF64(weights.alphas);
    this.predictors = heap.copyF64(weights.predictors);
    this.openers = heap.copyF64(weights.openers);
    this.series = heap.copyF64(weights.series);
    // Two genes are done at a time, and are done sooner when they are alike; a gene's exponent falls with its total.
    const order = Uint32Array.from({ length: nGenes }, (_, gene) => gene);
    this.order = heap.copyU32(order.sort((a, b) => quantumExponents[b] - quantumExponents[a]));
    this.scales = heap.copyF64(Float64Array.from(quantumExponents, (q) => 2 ** q));
    this.nodeSizeFactors = heap.copyF64(nodeSizeFactors);
  }

  /**
   * Adds one group.
   *
   * @returns the number of (gene, α) whose η did not converge: 0 unless the measures are damaged
   */
  addGroup(measures: GroupMeasures): number {
    const { exports } = this.heap;
    return this.heap.scoped(() => {
      const scratch = this.heap.u8(exports.profileScratchBytes(measures.nNodes, this.alphas.length));
      return (
        exports.addProfileGrid(
          this.nGenes,
          measures.nNodes,
          measures.S.byteOffset,
          measures.N.byteOffset,
          this.nodeSizeFactors.byteOffset,
          measures.sumCounts.byteOffset,
          this.order.byteOffset,
          this.alphas.length,
          this.alphas.byteOffset,
          this.predictors.byteOffset,
          this.openers.byteOffset,
          this.series.byteOffset,
          this.scales.byteOffset,
          scratch.byteOffset,
          this.sums.byteOffset,
        ) >>> 0
      );
    });
  }
}

interface GridWeights {
  readonly alphas: Float64Array;
  readonly predictors: Float64Array;
  readonly openers: Float64Array;
  readonly series: Float64Array;
}

/** Every task of a thread has the same grid, whose weights take milliseconds. */
const knownWeights = new WeakMap<ArrayLike<number>, GridWeights>();

function gridWeights(logAlphas: ArrayLike<number>): GridWeights {
  const known = knownWeights.get(logAlphas);
  if (known !== undefined) return known;
  const alphas = Float64Array.from(logAlphas, Math.exp);
  const weights = {
    alphas,
    predictors: predictorWeights(logAlphas),
    openers: openingWeights(alphas),
    series: seriesWeights(alphas),
  };
  knownWeights.set(logAlphas, weights);
  return weights;
}

/** How many of the values before a prediction uses, and at how many of the last of them the derivative too. */
const VALUES = 5;
const DERIVATIVES = 3;
const WEIGHTS = VALUES + DERIVATIVES;
/** Points from the first that is fitted on that are predicted by polynomials in α. */
const OPENING_POINTS = 7;

/**
 * Weights w with m(x_a) ≈ Σ_{i<5} w[a·8 + i] m(x_{a−1−i}) + Σ_{i<3} w[a·8 + 5 + i] m'(x_{a−1−i}): the polynomial through the
 * values at up to five points before and the derivatives at the last three.
 *
 * @source Hermite interpolation: Stoer & Bulirsch 2002, Introduction to Numerical Analysis, 2.1.5
 */
export function predictorWeights(points: ArrayLike<number>): Float64Array {
  const weights = new Float64Array(points.length * WEIGHTS);
  for (let a = 1; a < points.length; a++) {
    const before = Array.from({ length: Math.min(a, VALUES) }, (_, i) => points[a - 1 - i]);
    weights.set(hermiteWeights(before, points[a]), a * WEIGHTS);
  }
  return weights;
}

/**
 * The same in α, for points from a `first` one on at which fitting begins, the limit α = 0 standing before it: w[(first·7 + i)·8 …]
 * for point first + i. Derivatives are m' in log α, but at α = 0, where it is m' in α.
 */
function openingWeights(alphas: Float64Array): Float64Array {
  const weights = new Float64Array(alphas.length * OPENING_POINTS * WEIGHTS);
  alphas.forEach((_, first) => {
    for (let i = 0; i < OPENING_POINTS && first + i < alphas.length; i++) {
      const before = [...alphas.slice(first, first + i).reverse(), 0].slice(0, VALUES);
      const own = hermiteWeights(before, alphas[first + i]);
      before.slice(0, DERIVATIVES).forEach((alpha, j) => {
        if (alpha > 0) own[VALUES + j] /= alpha;
      });
      weights.set(own, (first * OPENING_POINTS + i) * WEIGHTS);
    }
  });
  return weights;
}

/** Weights of the values at up to five points, the latest first, and of the derivatives at the first three, for the value at `point`. */
function hermiteWeights(before: readonly number[], point: number): Float64Array {
  const weights = new Float64Array(WEIGHTS);
  const gap = point - before[0];
  // Places in v = (x − x_last)/gap: 0 for the last point, negative before it, 1 where the value is wanted.
  const places = before.map((x) => (x - before[0]) / gap);
  for (const [i, own] of places.entries()) {
    let basis = 1;
    let basisSlope = 0;
    for (const [j, other] of places.entries()) {
      if (i === j) continue;
      const power = j < DERIVATIVES ? 2 : 1;
      basis *= ((1 - other) / (own - other)) ** power;
      basisSlope += power / (own - other);
    }
    if (i < DERIVATIVES) {
      weights[i] = basis * (1 - (1 - own) * basisSlope);
      weights[VALUES + i] = basis * (1 - own) * gap;
    } else weights[i] = basis;
  }
  return weights;
}

/** Points that the series for small dispersions passes through; as POINTS in shared/assembly/small-dispersions.ts. */
const SERIES_POINTS = 7;

/**
 * Weights w with f(α_a) ≈ Σ_i w[(first·A + a)·7 + i] f(α_{first+i}) for a < first, where f(α)/α is a polynomial through seven
 * points.
 */
function seriesWeights(alphas: Float64Array): Float64Array {
  const count = alphas.length;
  const weights = new Float64Array(count * count * SERIES_POINTS);
  for (let first = 0; first + SERIES_POINTS <= count; first++) {
    const base = alphas.subarray(first, first + SERIES_POINTS);
    for (let a = 0; a < first; a++) {
      const at = (first * count + a) * SERIES_POINTS;
      base.forEach((own, i) => {
        const lagrange = base.reduce(
          (product, other) => (other === own ? product : product * ((alphas[a] - other) / (own - other))),
          1,
        );
        weights[at + i] = (lagrange * alphas[a]) / own;
      });
    }
  }
  return weights;
}
