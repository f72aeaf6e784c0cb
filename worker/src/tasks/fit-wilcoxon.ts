import { CancelledError } from '@shardex/shared/errors';
import { rankSumAgainstControl, scatterKeys, type RankSums } from '@shardex/shared/kernels';
import { GeneStatus, rankSumTest } from '@shardex/shared/stats';
import type { FitRows } from './fit-rows.js';
import type { FrozenStatistics } from './frozen-control.js';
import type { GroupRows } from './group-rows.js';
import type { TaskScope } from './task-scope.js';

/** A run of genes whose control columns are loaded together, and where the groups' keys for it lie. */
interface GeneChunk {
  readonly geneBegin: number;
  readonly geneEnd: number;
  /** nGroups × genes + 1 positions in the task's keys, [group][gene]; u32 in the heap. */
  readonly offsets: Uint32Array;
}

/**
 * The Wilcoxon rank-sum test of a task's perturbations.
 *
 * The rank keys of all perturbations are laid out gene by gene; then the control's sorted columns pass by in chunks of genes,
 * each loaded once a task, and every perturbation is ranked against them.
 */
export class RankTest {
  private readonly keys: Float64Array;
  private readonly cursors: Uint32Array;
  private readonly chunks: readonly GeneChunk[];
  private readonly sizes: Uint32Array;

  /** @param groups - the group of each result row */
  constructor(
    private readonly scope: TaskScope,
    private readonly rows: GroupRows,
    private readonly groups: readonly number[],
    private readonly control: FrozenStatistics,
  ) {
    const { heap, job } = scope;
    this.keys = heap.f64(groups.reduce((sum, group) => sum + rows.nonzerosOf(group), 0));
    this.cursors = heap.u32(job.context.nGenes);
    this.sizes = Uint32Array.from(groups, (group) => rows.cellsOf(group));
    this.chunks = control.chunks.map(({ meta: { geneBegin, geneEnd } }) => ({
      geneBegin,
      geneEnd,
      offsets: heap.u32(groups.length * (geneEnd - geneBegin) + 1),
    }));
  }

  /** Notes how many cells of a perturbation express each gene: the lengths of its segments. */
  count(row: number, nExpressing: Uint32Array): void {
    for (const { geneBegin, geneEnd, offsets } of this.chunks) {
      offsets.set(nExpressing.subarray(geneBegin, geneEnd), row * (geneEnd - geneBegin) + 1);
    }
  }

  /** Ranks every perturbation in the genes whose status is `tested`, once all of them have been counted. */
  async test(results: FitRows, progress: (fraction: number) => void): Promise<void> {
    this.layOut();
    for (const [row, group] of this.groups.entries()) await this.scatter(row, group);
    const { heap, runtime, job } = this.scope;
    const { tieCorrect, continuity } = job.context.parameters;
    for (const [i, chunk] of this.chunks.entries()) {
      if (runtime.signal.aborted) throw new CancelledError('the task was abandoned');
      const mark = heap.mark();
      try {
        const frozen = this.control.chunks[i];
        const sorted = {
          keys: heap.copyF64(await frozen.f64('keys')),
          offsets: heap.copyU32(await frozen.u32('keyOffsets')),
          ties: heap.copyF64(await frozen.f64('tieSums')),
          nCells: this.control.cells,
        };
        const groupKeys = { keys: this.keys, offsets: chunk.offsets, sizes: this.sizes };
        const sums = rankSumAgainstControl(heap, sorted, groupKeys, { tieCorrect, continuity });
        for (let row = 0; row < this.groups.length; row++) this.store(results, chunk, row, sums);
      } finally {
        heap.release(mark);
      }
      progress((i + 1) / this.chunks.length);
    }
  }

  /** Turns the segments' lengths into positions: one chunk after the other, [group][gene] within a chunk. */
  private layOut(): void {
    let used = 0;
    for (const { offsets } of this.chunks) {
      offsets[0] = used;
      for (let i = 1; i < offsets.length; i++) offsets[i] += offsets[i - 1];
      used = offsets[offsets.length - 1];
    }
  }

  private async scatter(row: number, group: number): Promise<void> {
    for (const { geneBegin, geneEnd, offsets } of this.chunks) {
      const first = row * (geneEnd - geneBegin);
      this.cursors.set(offsets.subarray(first, first + geneEnd - geneBegin), geneBegin);
    }
    for await (const block of this.rows.blocks(group)) {
      scatterKeys(this.scope.heap, block.rows, block.totals, this.cursors, this.keys);
    }
  }

  private store(results: FitRows, chunk: GeneChunk, row: number, sums: RankSums): void {
    const { geneBegin, geneEnd, offsets } = chunk;
    const nGenes = geneEnd - geneBegin;
    const of = (layer: string): Float64Array => results.row('wilcoxon', layer, row) as Float64Array;
    const [effect, z, p, log10P] = ['X', 'z_score', 'pvalue', 'log10_pvalue'].map(of);
    const status = results.status('wilcoxon', row);
    const uStatistic = results.row('wilcoxon', 'u_statistic', row) as Float64Array | null;
    for (let i = 0; i < nGenes; i++) {
      const at = row * nGenes + i;
      const gene = geneBegin + i;
      const nExpressing = offsets[at + 1] - offsets[at] + this.control.nExpressing[gene];
      const test = rankSumTest(sums, at, this.sizes[row], this.control.cells, nExpressing);
      const isKept = status[gene] === GeneStatus.tested;
      // Where nothing varies there is nothing to test: the status says so, and no p-value enters any correction.
      const isTested = isKept && test.status === GeneStatus.tested;
      if (isKept) status[gene] = test.status;
      effect[gene] = isKept ? test.auc : NaN;
      z[gene] = isTested ? test.z : NaN;
      p[gene] = isTested ? test.pValue : NaN;
      log10P[gene] = isTested ? test.log10PValue : NaN;
      if (uStatistic !== null) uStatistic[gene] = isKept ? sums.u[at] : NaN;
    }
  }
}
