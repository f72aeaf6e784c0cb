import type { TTestVariant } from '@shardex/shared/config';
import { MomentColumn } from '@shardex/shared/kernels';
import { GeneStatus, studentTFromSums, welchFromSums, welchOverestimatedFromSums } from '@shardex/shared/stats';
import type { FitRows } from './fit-rows.js';
import type { MomentSums } from './reference.js';

const VARIANTS = {
  welch: welchFromSums,
  student: studentTFromSums,
  'overestimated-variance': welchOverestimatedFromSums,
} as const satisfies Readonly<Record<TTestVariant, typeof welchFromSums>>;

/** The t-test of one perturbation on log1p expression, all genes whose status is `tested`. */
export function compareMeans(
  results: FitRows,
  row: number,
  perturbed: MomentSums,
  reference: MomentSums,
  variant: TTestVariant,
): void {
  const of = (layer: string): Float64Array => results.row('t-test', layer, row) as Float64Array;
  const [effect, score, df, p, log10P] = ['X', 'z_score', 'degrees_of_freedom', 'pvalue', 'log10_pvalue'].map(of);
  const status = results.status('t-test', row);
  for (let gene = 0; gene < status.length; gene++) {
    if (status[gene] !== GeneStatus.tested) {
      for (const values of [effect, score, df, p, log10P]) values[gene] = NaN;
      continue;
    }
    const test = VARIANTS[variant](armOf(perturbed, gene), armOf(reference, gene));
    // Where nothing varies there is nothing to test: the status says so, and no p-value enters any correction.
    const isTested = test.status === GeneStatus.tested;
    effect[gene] = test.meanDifference;
    score[gene] = isTested ? test.t : NaN;
    df[gene] = test.degreesOfFreedom;
    p[gene] = isTested ? test.pValue : NaN;
    log10P[gene] = isTested ? test.log10PValue : NaN;
    status[gene] = test.status;
  }
}

const MOMENTS = Object.keys(MomentColumn).length;

const armOf = ({ moments, cells }: MomentSums, gene: number): { sum: number; sumSquares: number; n: number } => ({
  sum: moments[gene * MOMENTS + MomentColumn.log],
  sumSquares: moments[gene * MOMENTS + MomentColumn.logSquare],
  n: cells,
});
