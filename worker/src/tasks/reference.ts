import { MomentColumn, type GroupMeasures, type KernelHeap } from '@shardex/shared/kernels';
import type { FrozenStatistics } from './frozen-control.js';

/** Sums over the cells of one arm, all genes: four a gene, columns as `MomentColumn`. */
export interface MomentSums {
  readonly moments: Float64Array;
  readonly cells: number;
}

/** The same with the number of cells that express each gene. */
export interface ArmSums extends MomentSums {
  readonly nExpressing: Uint32Array;
  /** Σ y of each gene; null where nothing asks for it. */
  readonly sumCounts: Float64Array | null;
}

/** Compressed measures of one arm. */
export interface ArmMeasures {
  readonly measures: GroupMeasures;
  /** Q of its cells; null where nothing asks for it. */
  readonly squares: Float64Array | null;
}

/** Sums a gene of a `MomentAccumulator`. */
const MOMENTS = Object.keys(MomentColumn).length;

/** A rounded sum of n terms is off by at most n/2 units in the last place; the subtractions add a few more. */
const ROUNDING = 2 ** -52;

/**
 * Sums over the cells of a pool that are not a perturbation's own: exact counts, and sums within the rounding of the pool's.
 *
 * Where that rounding would pass for something it is cleared away: sums of a gene that no other cell expresses are 0, and
 * other cells of one value have no variance.
 */
export function withoutOwn(pool: FrozenStatistics, own: ArmSums): ArmSums {
  const cells = pool.cells - own.cells;
  const nExpressing = pool.nExpressing.map((n, gene) => n - own.nExpressing[gene]);
  const moments = pool.moments.map((sum, at) => sum - own.moments[at]);
  for (let gene = 0; gene < nExpressing.length; gene++) {
    const first = gene * MOMENTS;
    if (nExpressing[gene] === 0) {
      moments.fill(0, first, first + MOMENTS);
      continue;
    }
    const square = (moments[first + MomentColumn.log] * moments[first + MomentColumn.log]) / cells;
    const resolution = (pool.cells + 4) * ROUNDING * pool.moments[first + MomentColumn.logSquare];
    const spread = moments[first + MomentColumn.logSquare] - square;
    if (!(spread > resolution)) moments[first + MomentColumn.logSquare] = square;
  }
  const sumCounts = pool.sumCounts && own.sumCounts && subtract(pool.sumCounts, own.sumCounts);
  return { cells, nExpressing, moments, sumCounts };
}

const subtract = (all: Float64Array, part: Float64Array): Float64Array => all.map((value, i) => value - part[i]);

/**
 * Measures of a pool without a perturbation's own cells. They are additive, so this is what accumulating the other cells
 * gives, within the rounding of the pool's sums; the counts are exact.
 *
 * @returns arrays in the heap, above its present top
 */
export function measuresWithoutOwn(heap: KernelHeap, pool: ArmMeasures, own: ArmMeasures): ArmMeasures {
  const { nGenes, nNodes, nCells } = pool.measures;
  const difference = (all: Float64Array, part: Float64Array): Float64Array => {
    const rest = heap.f64(all.length);
    for (let i = 0; i < rest.length; i++) rest[i] = all[i] - part[i];
    return rest;
  };
  const S = difference(pool.measures.S, own.measures.S);
  const N = difference(pool.measures.N, own.measures.N);
  const sumCounts = difference(pool.measures.sumCounts, own.measures.sumCounts);
  const squares = pool.squares && own.squares && subtract(pool.squares, own.squares);
  sumCounts.forEach((count, gene) => {
    if (count > 0) return;
    S.fill(0, gene * nNodes, (gene + 1) * nNodes);
    squares?.fill(0, gene * nNodes, (gene + 1) * nNodes);
  });
  return { measures: { nGenes, nNodes, nCells: nCells - own.measures.nCells, S, N, sumCounts }, squares };
}
