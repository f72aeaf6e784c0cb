import { TEST_OUTPUTS } from '@shardex/shared/artifacts';
import type { TestName } from '@shardex/shared/config';
import type { ResultRows } from '../cli/index.js';
import type { PerturbationCounts, TestOverview } from './result-shapes.js';
import { PvalueTally } from './tally-pvalues.js';

/** Layers that a tally looks at. */
export const TALLIED_LAYERS = ['pvalue', 'log10_pvalue', 'pvalue_adj', 'z_score'] as const;

/** Counts and calibration of a test over perturbations that come in any order, in memory for their counts only. */
export class ScreenTally {
  private readonly pvalues = new PvalueTally();
  private readonly counts: PerturbationCounts[] = [];

  constructor(
    private readonly test: TestName,
    private readonly nGenes: number,
    private readonly alpha: number,
  ) {}

  get perturbations(): number {
    return this.counts.length;
  }

  /** @param rows - `TALLIED_LAYERS` of these perturbations, row-major; cells that are not known are NaN */
  add(perturbations: readonly string[], cells: ArrayLike<number>, rows: ResultRows): void {
    const [pvalues, logarithms, adjusted, zScores] = TALLIED_LAYERS.map((name) => rows.get(name) as Float64Array);
    for (const [row, perturbation] of perturbations.entries()) {
      let [tested, up, down] = [0, 0, 0];
      for (let at = row * this.nGenes; at < (row + 1) * this.nGenes; at++) {
        if (Number.isNaN(pvalues[at])) continue;
        tested++;
        this.pvalues.add(pvalues[at], logarithms[at]);
        if (!(adjusted[at] <= this.alpha)) continue;
        if (zScores[at] < 0) down++;
        else up++;
      }
      this.counts.push({ perturbation, cells: Number.isNaN(cells[row]) ? null : cells[row], tested, up, down });
    }
  }

  /** @param limit - perturbations to name at most */
  overview(limit: number): TestOverview {
    // Sorting is stable: those with as many genes stay in the order in which they came.
    const sorted = [...this.counts].sort((left, right) => right.up + right.down - left.up - left.down);
    return {
      test: this.test,
      effect: TEST_OUTPUTS[this.test].effect,
      perturbations: sorted.slice(0, limit),
      perturbationsLeftOut: Math.max(0, sorted.length - limit),
      significantGenes: sorted.reduce((sum, { up, down }) => sum + up + down, 0),
      calibration: this.pvalues.finish(),
    };
  }
}
