import type { HeapRows } from './heap-rows.js';
import type { KernelHeap } from './kernel-heap.js';
import { NodeBasis, type GroupMeasures, type NodeSet } from './node-basis.js';

/** Rows whose basis is evaluated at a time: 512 rows × 16 nodes are 64 KiB, which stays in the cache. */
const BLOCK_ROWS = 512;

/**
 * Streams the cells of one group into its compressed measures.
 *
 *     S[j,k] = Σ_i y_ij l_k(log s_i)      N[k] = Σ_i l_k(log s_i)      Q[j,k] = Σ_i y_ij² l_k(log s_i)
 *
 * Cells are added strictly in the order given, gene by gene independently, so the sums depend on the order of the
 * group's cells alone and not on how they were cut into blocks or genes into shards. Cost: about 6 ns a nonzero at K = 16.
 * Memory: 8·K bytes a gene.
 * Q, which variances need, is summed on request, for as much again.
 */
export class MeasureAccumulator implements GroupMeasures {
  readonly nNodes: number;
  readonly S: Float64Array;
  readonly N: Float64Array;
  readonly sumCounts: Float64Array;
  /** Q, as S is laid out; null unless asked for. */
  readonly squares: Float64Array | null;
  private readonly basis: NodeBasis;
  private readonly weights: Float64Array;
  private cells = 0;

  /**
   * @param heap - everything is allocated here; the accumulator lives until the heap is released below it
   * @param withSquares - whether to sum Q too
   */
  constructor(
    private readonly heap: KernelHeap,
    readonly nGenes: number,
    readonly nodes: NodeSet,
    withSquares = false,
  ) {
    const count = nodes.count;
    this.nNodes = count;
    this.S = heap.f64(nGenes * count);
    this.N = heap.f64(count);
    this.sumCounts = heap.f64(nGenes);
    this.squares = withSquares ? heap.f64(nGenes * count) : null;
    this.weights = heap.f64(BLOCK_ROWS * count);
    this.basis = new NodeBasis(nodes);
  }

  get nCells(): number {
    return this.cells;
  }

  /** Starts a new group. */
  reset(): void {
    this.heap.zero(this.S, this.N, this.sumCounts);
    if (this.squares !== null) this.heap.zero(this.squares);
    this.cells = 0;
  }

  /**
   * Adds cells.
   *
   * @param rows - in the heap; gene indices below nGenes
   * @param sizeFactors - s_i of each row, positive; anywhere
   */
  addRows(rows: HeapRows, sizeFactors: ArrayLike<number>): void {
    for (let begin = 0; begin < rows.nRows; begin += BLOCK_ROWS) {
      this.addBlock(rows, sizeFactors, begin, Math.min(begin + BLOCK_ROWS, rows.nRows));
    }
    this.cells += rows.nRows;
  }

  private addBlock(rows: HeapRows, sizeFactors: ArrayLike<number>, begin: number, end: number): void {
    const { nNodes, weights, N } = this;
    for (let row = begin; row < end; row++) {
      const at = (row - begin) * nNodes;
      this.basis.write(sizeFactors[row], weights, at);
      for (let k = 0; k < nNodes; k++) N[k] += weights[at + k];
    }
    const indptr = rows.indptr.byteOffset + begin * Uint32Array.BYTES_PER_ELEMENT;
    const { exports } = this.heap;
    exports.accumulateMeasures(
      indptr,
      rows.indices.byteOffset,
      rows.counts.byteOffset,
      end - begin,
      weights.byteOffset,
      nNodes,
      this.S.byteOffset,
      this.sumCounts.byteOffset,
    );
    if (this.squares === null) return;
    exports.accumulateSquares(
      indptr,
      rows.indices.byteOffset,
      rows.counts.byteOffset,
      end - begin,
      weights.byteOffset,
      nNodes,
      this.squares.byteOffset,
    );
  }
}
