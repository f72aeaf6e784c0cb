import type { ResultRows } from './result-file.js';

/** A (perturbation, gene) of a result file by its place, with what it is ranked by. */
export interface RankedRow {
  readonly row: number;
  readonly gene: number;
  readonly pvalue: number;
  /** Tells p-values apart that are 0 as doubles. */
  readonly log10Pvalue: number;
}

/** Strongest first: by p-value, then by its logarithm, then by place in the file, so that the order is total. */
export const compareRanked = (left: RankedRow, right: RankedRow): number =>
  left.pvalue - right.pvalue || left.log10Pvalue - right.log10Pvalue || left.row - right.row || left.gene - right.gene;

/** Layers that ranking needs. */
export const RANKING_LAYERS = ['pvalue', 'log10_pvalue'] as const;

/** Keeps the `size` strongest of any number of rows; those without a p-value are left out. */
export class StrongestRows {
  private kept: RankedRow[] = [];
  private bound = Number.POSITIVE_INFINITY;

  constructor(private readonly size: number) {}

  /** @param rowBegin - row of the file that the first row of `rows` is */
  add(rows: ResultRows, rowBegin: number, nGenes: number): void {
    const pvalues = rows.get('pvalue') ?? new Float64Array(0);
    const logarithms = rows.get('log10_pvalue') ?? new Float64Array(0);
    for (let at = 0; at < pvalues.length; at++) {
      // False for NaN too: such a row was not tested.
      if (!(pvalues[at] <= this.bound)) continue;
      this.kept.push({
        row: rowBegin + Math.floor(at / nGenes),
        gene: at % nGenes,
        pvalue: pvalues[at],
        log10Pvalue: logarithms[at] ?? 0,
      });
      // Sorting now and then instead of at each insertion keeps the cost at O(n) for data in no order.
      if (this.kept.length >= 2 * this.size + 64) this.shrink();
    }
  }

  /** Strongest first. */
  finish(): readonly RankedRow[] {
    this.shrink();
    return this.kept;
  }

  private shrink(): void {
    this.kept = this.kept.sort(compareRanked).slice(0, this.size);
    if (this.kept.length === this.size) this.bound = this.kept[this.size - 1]?.pvalue ?? this.bound;
  }
}
