import { CancelledError } from '@shardex/shared/errors';
import { rankSumTest } from '@shardex/shared/stats';
import type { FitRows } from './fit-rows.js';
import type { FrozenStatistics } from './frozen-control.js';
import { RankLayers } from './rank-layers.js';
import type { TaskScope } from './task-scope.js';

/** The Wilcoxon tests of a task's perturbations against all other cells of the pool, from the rank sums that were frozen with it. */
export async function testFrozenRanks(
  { job, runtime }: TaskScope,
  groups: readonly number[],
  pool: FrozenStatistics,
  results: FitRows,
  progress: (fraction: number) => void,
): Promise<void> {
  if (groups.length === 0) return;
  const { groupCells } = await job.cellFactors();
  const layers = groups.map((_, row) => new RankLayers(results, row));
  for (const [i, chunk] of pool.chunks.entries()) {
    if (runtime.signal.aborted) throw new CancelledError('the task was abandoned');
    const { geneBegin, geneEnd } = chunk.meta;
    const nGenes = geneEnd - geneBegin;
    const tieSums = await chunk.f64('tieSums');
    const [first, last] = [groups[0] * nGenes, (groups[groups.length - 1] + 1) * nGenes];
    const u = await chunk.f64('u', first, last);
    const z = await chunk.f64('z', first, last);
    for (const [row, group] of groups.entries()) {
      const cells = groupCells[group];
      const own = [(group - groups[0]) * nGenes, (group - groups[0] + 1) * nGenes] as const;
      const sums = { u: u.subarray(...own), z: z.subarray(...own), tieSums };
      for (let at = 0; at < nGenes; at++) {
        const gene = geneBegin + at;
        const test = rankSumTest(sums, at, cells, pool.cells - cells, pool.nExpressing[gene]);
        layers[row].set(gene, test, sums.u[at]);
      }
    }
    progress((i + 1) / pool.chunks.length);
  }
}
