import type { DeParameters, TestName } from '@shardex/shared/config';
import { MomentColumn } from '@shardex/shared/kernels';
import {
  CRISPYX_LOW_EXPRESSION,
  geneFilterStatus,
  GeneStatus,
  type ArmExpression,
  type GeneFilters,
} from '@shardex/shared/stats';
import type { FitRows } from './fit-rows.js';
import type { ArmSums } from './reference.js';

/** Both arms of a comparison. */
export interface ComparisonSums {
  readonly perturbed: ArmSums;
  readonly reference: ArmSums;
}

/** Mean of which sum the low-expression filter looks at: crispyx's choice for each test. */
const MEAN_COLUMN = {
  'nb-glm': MomentColumn.scaled,
  wilcoxon: MomentColumn.log,
  't-test': MomentColumn.log,
} as const satisfies Readonly<Record<TestName, number>>;

/** Sums a gene of a `MomentAccumulator`. */
const MOMENTS = Object.keys(MomentColumn).length;

/**
 * Sets the status of every gene of one perturbation before it is tested, test by test: why it is left out, or `tested`.
 * Each test reads its own row, and sets it to what became of the genes it tested.
 *
 * @param geneKept - 0 for the genes that the filter over the whole screen left out
 */
export function markFilteredGenes(
  results: FitRows,
  row: number,
  sums: ComparisonSums,
  parameters: DeParameters,
  geneKept: Uint8Array,
): void {
  const filters: GeneFilters = {
    minCellsExpressed: parameters.minCellsExpressed,
    minTotalCount: parameters.minTotalCount,
    minNonzeroPerturbed: parameters.minNonzero,
    minNonzeroControl: parameters.minNonzero,
    ...(parameters.lowExpressionFilter ? { lowExpression: CRISPYX_LOW_EXPRESSION } : {}),
  };
  for (const test of parameters.tests) {
    const column = MEAN_COLUMN[test];
    const status = geneKept.map((kept, gene) =>
      kept === 0
        ? GeneStatus.filteredLowCells
        : geneFilterStatus(armOf(sums.perturbed, gene, column), armOf(sums.reference, gene, column), filters),
    );
    results.set(test, 'status', row, status);
  }
}

const armOf = ({ cells, nExpressing, moments, sumCounts }: ArmSums, gene: number, column: number): ArmExpression => ({
  cells,
  nExpressing: nExpressing[gene],
  mean: moments[gene * MOMENTS + column] / cells,
  sumCounts: sumCounts?.[gene] ?? 0,
});
