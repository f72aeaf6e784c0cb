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
  return { cells, nExpressing, moments };
}

/**
 * Measures of a pool without a perturbation's own cells. They are additive, so this is what accumulating the other cells
 * gives, within the rounding of the pool's sums; the counts are exact.
 *
 * @returns arrays in the heap, above its present top
 */
export function measuresWithoutOwn(heap: KernelHeap, pool: GroupMeasures, own: GroupMeasures): GroupMeasures {
  const { nGenes, nNodes } = pool;
  const difference = (all: Float64Array, part: Float64Array): Float64Array => {
    const rest = heap.f64(all.length);
    for (let i = 0; i < rest.length; i++) rest[i] = all[i] - part[i];
    return rest;
  };
  const S = difference(pool.S, own.S);
  const sumCounts = difference(pool.sumCounts, own.sumCounts);
  sumCounts.forEach((count, gene) => {
    if (count === 0) S.fill(0, gene * nNodes, (gene + 1) * nNodes);
  });
  return { nGenes, nNodes, nCells: pool.nCells - own.nCells, S, N: difference(pool.N, own.N), sumCounts };
}
