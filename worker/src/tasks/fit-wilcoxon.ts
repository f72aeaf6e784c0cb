import { CancelledError } from '@shardex/shared/errors';
import { rankSumAgainstControl, type GroupKeys, type SortedControl } from '@shardex/shared/kernels';
import { rankSumTest, StratifiedRankSums } from '@shardex/shared/stats';
import { keptColumns, loadColumns, type ControlColumns } from './control-columns.js';
import type { FitRows } from './fit-rows.js';
import type { FrozenStatistics } from './frozen-control.js';
import type { GroupRows } from './group-rows.js';
import { keyWriter, type KeyWriter } from './rank-keys.js';
import { RankLayers } from './rank-layers.js';
import { runsOfStrata, StratumCounts, type Strata } from './strata.js';
import type { TaskScope } from './task-scope.js';

/** A run of genes whose control columns are loaded together, and where the groups' keys for it lie. */
interface GeneChunk {
  readonly geneBegin: number;
  readonly nGenes: number;
  /** nStrata × nGroups × nGenes + 1 positions in the task's keys, [stratum][group][gene]; u32 in the heap. */
  readonly offsets: Uint32Array;
}

/**
 * The Wilcoxon rank-sum test of a task's perturbations against the control, within strata if the run has any.
 *
 * The rank keys of all perturbations are laid out gene by gene; then the control's sorted columns pass by in chunks of genes,
 * each loaded once a task unless the thread keeps them, and every perturbation is ranked against them.
 */
export class RankTest {
  private readonly nStrata: number;
  private readonly keys: Float64Array;
  /** [stratum][gene]. */
  private readonly cursors: Uint32Array;
  private readonly chunks: readonly GeneChunk[];
  /** Cells of each perturbation, [stratum][group]. */
  private readonly sizes: Uint32Array;
  private readonly write: KeyWriter;

  /** @param groups - the group of each result row */
  constructor(
    private readonly scope: TaskScope,
    private readonly rows: GroupRows,
    private readonly groups: readonly number[],
    private readonly control: FrozenStatistics,
    private readonly strata: Strata | null,
  ) {
    const { heap, job } = scope;
    const { nGenes, parameters } = job.context;
    this.nStrata = strata?.count ?? 1;
    const nKeys = groups.reduce((sum, group) => sum + rows.nonzerosOf(group), 0);
    this.keys = heap.uninitialised(Float64Array, nKeys);
    this.cursors = heap.u32(this.nStrata * nGenes);
    this.sizes = new Uint32Array(this.nStrata * groups.length);
    this.write = keyWriter(heap, parameters.rankPrecision);
    this.chunks = control.chunks.map(({ meta: { geneBegin, geneEnd } }) => ({
      geneBegin,
      nGenes: geneEnd - geneBegin,
      offsets: heap.u32(this.nStrata * groups.length * (geneEnd - geneBegin) + 1),
    }));
  }

  /** Notes how many cells of a perturbation express each gene: the lengths of its segments. Strata are counted by `test`. */
  count(row: number, nExpressing: Uint32Array): void {
    if (this.strata === null) this.note(row, 0, nExpressing, this.rows.cellsOf(this.groups[row]));
  }

  /** Ranks every perturbation in the genes whose status is `tested`, once all of them have been counted. */
  async test(results: FitRows, progress: (fraction: number) => void): Promise<void> {
    for (const [row, group] of this.groups.entries()) await this.countStrata(row, group);
    this.layOut();
    for (const [row, group] of this.groups.entries()) await this.scatter(row, group);
    const { heap, job, runtime } = this.scope;
    const kept = keptColumns(job);
    const layers = this.groups.map((_, row) => new RankLayers(results, row));
    for (const [i, chunk] of this.chunks.entries()) {
      if (runtime.signal.aborted) throw new CancelledError('the task was abandoned');
      const mark = heap.mark();
      try {
        const controls = kept?.[i] ?? (await loadColumns(heap, this.control.chunks[i]));
        if (this.strata === null) this.rank(chunk, controls[0], layers);
        else this.rankStrata(chunk, controls, layers);
      } finally {
        heap.release(mark);
      }
      progress((i + 1) / this.chunks.length);
    }
  }

  private note(row: number, stratum: number, nExpressing: Uint32Array, cells: number): void {
    const first = stratum * this.groups.length + row;
    this.sizes[first] = cells;
    for (const { geneBegin, nGenes, offsets } of this.chunks) {
      offsets.set(nExpressing.subarray(geneBegin, geneBegin + nGenes), first * nGenes + 1);
    }
  }

  private async countStrata(row: number, group: number): Promise<void> {
    if (this.strata === null) return;
    const { nGenes } = this.scope.job.context;
    const counts = new StratumCounts(this.strata, nGenes);
    for await (const block of this.rows.blocks(group)) counts.add(block);
    counts.cells.forEach((cells, stratum) => {
      this.note(row, stratum, counts.nExpressing.subarray(stratum * nGenes, (stratum + 1) * nGenes), cells);
    });
  }

  /** Turns the segments' lengths into positions: one chunk after the other, [stratum][group][gene] within a chunk. */
  private layOut(): void {
    let used = 0;
    for (const { offsets } of this.chunks) {
      offsets[0] = used;
      for (let i = 1; i < offsets.length; i++) offsets[i] += offsets[i - 1];
      used = offsets[offsets.length - 1];
    }
  }

  private async scatter(row: number, group: number): Promise<void> {
    const { cursors, nStrata } = this;
    const total = this.scope.job.context.nGenes;
    for (const { geneBegin, nGenes, offsets } of this.chunks) {
      for (let stratum = 0; stratum < nStrata; stratum++) {
        const first = (stratum * this.groups.length + row) * nGenes;
        cursors.set(offsets.subarray(first, first + nGenes), stratum * total + geneBegin);
      }
    }
    for await (const block of this.rows.blocks(group)) {
      for (const { stratum, rows, totals } of runsOfStrata(block, this.strata)) {
        this.write(rows, totals, cursors.subarray(stratum * total, (stratum + 1) * total), this.keys);
      }
    }
  }

  /** The groups' keys in one stratum of a chunk. */
  private keysOf({ nGenes, offsets }: GeneChunk, stratum: number): GroupKeys & { readonly sizes: Uint32Array } {
    const { length } = this.groups;
    const first = stratum * length;
    return {
      keys: this.keys,
      offsets: offsets.subarray(first * nGenes, (first + length) * nGenes + 1),
      sizes: this.sizes.subarray(first, first + length),
    };
  }

  private rank(chunk: GeneChunk, control: SortedControl, layers: readonly RankLayers[]): void {
    const { heap, job } = this.scope;
    const { geneBegin, nGenes, offsets } = chunk;
    const sums = rankSumAgainstControl(heap, control, this.keysOf(chunk, 0), job.context.parameters);
    for (const [row, own] of layers.entries()) {
      for (let i = 0; i < nGenes; i++) {
        const at = row * nGenes + i;
        const gene = geneBegin + i;
        const nExpressing = offsets[at + 1] - offsets[at] + this.control.nExpressing[gene];
        own.set(gene, rankSumTest(sums, at, this.sizes[row], control.nCells, nExpressing), sums.u[at]);
      }
    }
  }

  /** Ranks within every stratum and adds the strata up in their order. */
  private rankStrata(chunk: GeneChunk, controls: ControlColumns, layers: readonly RankLayers[]): void {
    const { heap, job } = this.scope;
    const { tieCorrect, batchWeights: weights } = job.context.parameters;
    const { geneBegin, nGenes } = chunk;
    const nGroups = this.groups.length;
    const strata = new StratifiedRankSums(nGroups, nGenes, { weights, tieCorrect });
    const nExpressing = new Uint32Array(nGroups * nGenes);
    for (const [stratum, control] of controls.entries()) {
      const own = this.keysOf(chunk, stratum);
      heap.scoped(() => {
        const sums = rankSumAgainstControl(heap, control, own, { tieCorrect, continuity: false });
        strata.add({ sums, groupSizes: own.sizes, otherSizes: new Uint32Array(nGroups).fill(control.nCells) });
      });
      if (control.nCells === 0) continue;
      for (let at = 0; at < nExpressing.length; at++) {
        if (own.sizes[Math.floor(at / nGenes)] === 0) continue;
        const gene = at % nGenes;
        nExpressing[at] += own.offsets[at + 1] - own.offsets[at] + control.offsets[gene + 1] - control.offsets[gene];
      }
    }
    for (const [row, own] of layers.entries()) {
      for (let i = 0; i < nGenes; i++) {
        const test = strata.test(row, i, nExpressing[row * nGenes + i]);
        own.set(geneBegin + i, test, test.u);
      }
    }
  }
}
