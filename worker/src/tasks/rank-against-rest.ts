import { CancelledError } from '@shardex/shared/errors';
import { rankSumAgainstRest, sortGroupedColumns } from '@shardex/shared/kernels';
import type { PoolBlock, PoolRows } from './pool-rows.js';
import { columnOffsets, keyWriter } from './rank-keys.js';
import type { TaskScope } from './task-scope.js';

/** Rank sums of every group against all other cells of the pool, for a run of genes. */
export interface RestRankSums {
  /** Mann–Whitney U and normal score at [group][gene]; NaN for groups that take no part. */
  readonly u: Float64Array;
  readonly z: Float64Array;
  /** Σ (t³ − t) over the tie blocks of the pool, zeros included, per gene. */
  readonly tieSums: Float64Array;
}

/** Results of one call of the kernel: 8 MB an array, whatever the numbers of groups and genes. */
const RESULTS_PER_CALL = 1 << 20;

/**
 * Ranks the pool once, gene by gene, and adds the ranks up for every group: all groups together cost one sort of the pool.
 *
 * @param nExpressing - cells of the pool with a count, per gene
 */
export async function rankAgainstRest(
  { job, heap, runtime }: TaskScope,
  pool: PoolRows,
  { geneBegin, geneEnd }: { readonly geneBegin: number; readonly geneEnd: number },
  nExpressing: Uint32Array,
): Promise<RestRankSums> {
  const { groupCells, groupKept } = await job.cellFactors();
  const nGenes = geneEnd - geneBegin;
  const sizes = groupCells.map((cells, group) => cells * groupKept[group]);
  const offsets = columnOffsets(heap, nExpressing);
  const columns = { keys: heap.f64(offsets[nGenes]), groups: heap.u32(offsets[nGenes]), offsets };
  const cursors = heap.copyU32(offsets);
  const groupCursors = Uint32Array.from(offsets);
  const write = keyWriter(heap, job.context.parameters.rankPrecision);
  for await (const block of pool.blocks(geneBegin, geneEnd)) {
    write(block.rows, block.totals, cursors, columns.keys);
    noteGroup(block, groupCursors, columns.groups);
  }
  runtime.progress(0.8);
  sortGroupedColumns(heap, columns);
  const sums: RestRankSums = {
    u: new Float64Array(sizes.length * nGenes),
    z: new Float64Array(sizes.length * nGenes),
    tieSums: new Float64Array(nGenes),
  };
  const genesPerCall = Math.max(1, Math.floor(RESULTS_PER_CALL / sizes.length));
  for (let begin = 0; begin < nGenes; begin += genesPerCall) {
    if (runtime.signal.aborted) throw new CancelledError('the task was abandoned');
    const end = Math.min(nGenes, begin + genesPerCall);
    heap.scoped(() => {
      const run = { ...columns, offsets: offsets.subarray(begin, end + 1) };
      const ranked = rankSumAgainstRest(heap, run, sizes, job.context.parameters);
      sums.tieSums.set(ranked.tieSums.subarray(0, end - begin), begin);
      for (let group = 0; group < sizes.length; group++) {
        const own = [group * (end - begin), (group + 1) * (end - begin)] as const;
        sums.u.set(ranked.u.subarray(...own), group * nGenes + begin);
        sums.z.set(ranked.z.subarray(...own), group * nGenes + begin);
      }
    });
  }
  return sums;
}

/** groups[cursors[gene]++] = the block's group, for each of its nonzeros: parallel to the keys, which are written in this order. */
function noteGroup({ rows, group }: PoolBlock, cursors: Uint32Array, groups: Uint32Array): void {
  const { indices, indptr, nRows } = rows;
  for (let i = 0; i < indptr[nRows]; i++) groups[cursors[indices[i]]++] = group;
}
