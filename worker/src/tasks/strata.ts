import type { GroupBlock } from './group-rows.js';
import type { JobData } from './job-data.js';

/** Batches that cells are ranked within, or combinations of the levels of categorical covariates. */
export interface Strata {
  readonly count: number;
  /** Stratum of every cell of the file that takes part. */
  readonly ofCell: Int32Array;
}

/** The strata of a run's Wilcoxon test; null without `--batch-column`. */
export async function strataOf(job: JobData): Promise<Strata | null> {
  const { batch } = job.context.design;
  const { batch: ofCell } = await job.cellCovariates();
  return batch === null || ofCell === null ? null : { count: batch.levels.length, ofCell };
}

/** The strata of a run's NB-GLM: its categorical covariates crossed; null when it has none. */
export async function modelStrataOf(job: JobData): Promise<Strata | null> {
  const { stratum: ofCell } = await job.cellCovariates();
  return ofCell === null ? null : { count: job.context.design.strata.length, ofCell };
}

/** Consecutive cells of a block that are of one stratum. */
export type StratumRun = Pick<GroupBlock, 'rows' | 'totals' | 'sizeFactors'> & { readonly stratum: number };

/** Cuts a block where its stratum changes; without strata it is one run of stratum 0. */
export function* runsOfStrata(
  { rows, cells, totals, sizeFactors }: GroupBlock,
  strata: Strata | null,
): Generator<StratumRun> {
  for (let begin = 0; begin < rows.nRows;) {
    const stratum = strata?.ofCell[cells[begin]] ?? 0;
    let end = strata === null ? rows.nRows : begin + 1;
    while (end < rows.nRows && strata?.ofCell[cells[end]] === stratum) end++;
    const run = { ...rows, nRows: end - begin, indptr: rows.indptr.subarray(begin, end + 1) };
    const part = { totals: totals.subarray(begin, end), sizeFactors: sizeFactors.subarray(begin, end) };
    yield { stratum, rows: run, ...part };
    begin = end;
  }
}

/** Cells of each stratum, and cells with a count of each gene in each: [stratum][gene]. */
export class StratumCounts {
  readonly cells: Uint32Array;
  readonly nExpressing: Uint32Array;

  constructor(
    private readonly strata: Strata,
    private readonly nGenes: number,
  ) {
    this.cells = new Uint32Array(strata.count);
    this.nExpressing = new Uint32Array(strata.count * nGenes);
  }

  add(block: GroupBlock): void {
    for (const { stratum, rows } of runsOfStrata(block, this.strata)) {
      const { indptr, indices, nRows } = rows;
      const first = stratum * this.nGenes;
      for (let i = indptr[0]; i < indptr[nRows]; i++) this.nExpressing[first + indices[i]]++;
      this.cells[stratum] += nRows;
    }
  }
}
