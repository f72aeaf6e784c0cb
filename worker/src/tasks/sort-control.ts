import { sortColumns, tieTerms } from '@shardex/shared/kernels';
import type { PoolRows } from './pool-rows.js';
import { columnOffsets, keyWriter } from './rank-keys.js';
import { runsOfStrata, StratumCounts, strataOf } from './strata.js';
import type { TaskScope } from './task-scope.js';

/** The control's rank keys for a run of g genes, in columns [stratum][gene]; without strata there is one. */
export interface SortedColumns {
  /** Ascending within a column; f64 n. */
  readonly keys: Float64Array;
  /** u32 strata × g + 1. */
  readonly keyOffsets: Uint32Array;
  /** `tieTerms` of each column; f64 strata × g. */
  readonly tieSums: Float64Array;
  /** Control cells in each stratum, where there are strata; u32. */
  readonly stratumCells?: Uint32Array;
}

/** Second pass over the control cells: their rank keys gene by gene, sorted. */
export async function sortControl(
  { job, heap }: TaskScope,
  pool: PoolRows,
  { geneBegin, geneEnd }: { readonly geneBegin: number; readonly geneEnd: number },
  nExpressing: Uint32Array,
): Promise<SortedColumns> {
  const nGenes = geneEnd - geneBegin;
  const strata = await strataOf(job);
  const counts = strata === null ? null : new StratumCounts(strata, nGenes);
  if (counts !== null) for await (const block of pool.blocks(geneBegin, geneEnd)) counts.add(block);
  const lengths = counts?.nExpressing ?? nExpressing;
  const keyOffsets = columnOffsets(heap, lengths);
  const keys = heap.uninitialised(Float64Array, keyOffsets[lengths.length]);
  const cursors = heap.copyU32(keyOffsets);
  const write = keyWriter(heap, job.context.parameters.rankPrecision);
  for await (const block of pool.blocks(geneBegin, geneEnd)) {
    for (const { stratum, rows, totals } of runsOfStrata(block, strata)) {
      write(rows, totals, cursors.subarray(stratum * nGenes, (stratum + 1) * nGenes), keys);
    }
  }
  const tieSums = heap.f64(lengths.length);
  sortColumns(heap, keys, keyOffsets);
  tieTerms(heap, keys, keyOffsets, tieSums);
  return { keys, keyOffsets, tieSums, ...(counts === null ? {} : { stratumCells: counts.cells }) };
}
