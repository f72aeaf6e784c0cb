import type { KernelHeap } from './kernel-heap.js';

/**
 * Chebyshev nodes of the size factors: the points at which sums over cells are kept.
 *
 * A function f(s) that is smooth in log s is Σ_k f(s_k) l_k(log s), with l_k the Lagrange basis of these nodes.
 */
export interface NodeSet {
  /** K, even. */
  readonly count: number;
  /** s_k, ascending. */
  readonly sizeFactors: Float64Array;
  /** Ends of the interval in log s that the nodes span. */
  readonly logMin: number;
  readonly logMax: number;
  /** ρ^-K: the relative error that interpolation may make. */
  readonly bound: number;
}

/** Position of a Chebyshev node of the first kind on [-1, 1], ascending. */
const position = (k: number, count: number): number => -Math.cos(((2 * k + 1) * Math.PI) / (2 * count));

/** log s_k of `count` nodes over [logMin, logMax]. */
export function nodeLogs(count: number, logMin: number, logMax: number): Float64Array {
  const middle = (logMin + logMax) / 2;
  const half = (logMax - logMin) / 2;
  return Float64Array.from({ length: count }, (_, k) => middle + half * position(k, count));
}

/**
 * Evaluates the Lagrange basis by the second barycentric formula, which is stable right up to a node.
 *
 * l_k(x) = (w_k/(x − x_k)) / Σ_j w_j/(x − x_j) with w_k = (−1)^k sin((2k+1)π/2K).
 *
 * @source Berrut & Trefethen 2004, SIAM Review 46:501, eqs. 4.2 and 5.3
 */
export class NodeBasis {
  private readonly logs: Float64Array;
  private readonly signedWeights: Float64Array;

  constructor(readonly nodes: NodeSet) {
    const { count } = nodes;
    this.logs = nodeLogs(count, nodes.logMin, nodes.logMax);
    this.signedWeights = Float64Array.from(
      { length: count },
      (_, k) => (k % 2 === 0 ? 1 : -1) * Math.sin(((2 * k + 1) * Math.PI) / (2 * count)),
    );
  }

  /** Writes l_0(log s) … l_{K−1}(log s) to target[offset …]; they add up to 1. */
  write(sizeFactor: number, target: Float64Array, offset: number): void {
    const { count } = this.nodes;
    const x = Math.log(sizeFactor);
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const distance = x - this.logs[k];
      if (distance === 0) {
        target.fill(0, offset, offset + count);
        target[offset + k] = 1;
        return;
      }
      const weight = this.signedWeights[k] / distance;
      target[offset + k] = weight;
      sum += weight;
    }
    for (let k = 0; k < count; k++) target[offset + k] /= sum;
  }
}

/** Measures of one group of cells, in the kernel heap: all that the likelihood needs to know about its cells. */
export interface GroupMeasures {
  readonly nGenes: number;
  /** Number of nodes K. */
  readonly nNodes: number;
  readonly nCells: number;
  /** S[j·K + k] = Σ_i y_ij l_k(log s_i); f64 in the heap. */
  readonly S: Float64Array;
  /** N[k] = Σ_i l_k(log s_i); f64 in the heap. */
  readonly N: Float64Array;
  /** Σ_i y_ij, exact; f64 in the heap. */
  readonly sumCounts: Float64Array;
}

/** Puts measures that were read back from storage into the heap. */
export function loadMeasures(
  heap: KernelHeap,
  stored: Pick<GroupMeasures, 'S' | 'N' | 'sumCounts' | 'nCells'>,
): GroupMeasures {
  return {
    nGenes: stored.sumCounts.length,
    nNodes: stored.N.length,
    nCells: stored.nCells,
    S: heap.copyF64(stored.S),
    N: heap.copyF64(stored.N),
    sumCounts: heap.copyF64(stored.sumCounts),
  };
}

/**
 * Σ_i y_ij / s_i of every gene, from its measures: Σ_k S_jk / s_k. Divided by the number of cells it is the base mean.
 *
 * @returns nGenes sums, outside the heap; relative error below the nodes' bound
 */
export function normalisedTotals(heap: KernelHeap, measures: GroupMeasures, nodes: NodeSet): Float64Array {
  return sumsOverNodes(heap, measures.S, measures.nGenes, nodes, (s) => s);
}

/** Σ_i v_ij / s_i² of every gene, from the measures Q of v: Σ_k Q_jk / s_k². With v = y² these are the squares of y/s. */
export function normalisedSquares(
  heap: KernelHeap,
  squares: Float64Array,
  nGenes: number,
  nodes: NodeSet,
): Float64Array {
  return sumsOverNodes(heap, squares, nGenes, nodes, (s) => s * s);
}

/** Σ_i 1 / s_i of a group: Σ_k N_k / s_k. */
export function inverseSizeFactors(heap: KernelHeap, measures: GroupMeasures, nodes: NodeSet): number {
  return sumsOverNodes(heap, measures.N, 1, nodes, (s) => s)[0];
}

/** Σ_i v_i / f(s_i) of every gene, from the sums Σ_i v_i l_k(log s_i), which are copied into the heap unless they lie there. */
function sumsOverNodes(
  heap: KernelHeap,
  sums: Float64Array,
  nGenes: number,
  { count, sizeFactors }: NodeSet,
  f: (s: number) => number,
): Float64Array {
  return heap.scoped(() => {
    const values = heap.holds(sums) ? sums : heap.copyF64(sums);
    const weights = heap.copyF64(sizeFactors.map((s) => 1 / f(s)));
    const totals = heap.uninitialised(Float64Array, nGenes);
    heap.exports.weightedRowSums(values.byteOffset, nGenes, count, weights.byteOffset, totals.byteOffset);
    return Float64Array.from(totals);
  });
}
