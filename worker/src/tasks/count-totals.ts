import type { DeParameters } from '@shardex/shared/config';
import type { HeapRows } from '@shardex/shared/kernels';

/** Adds the counts of a block of cells to each gene's total. Whole numbers: the order does not matter. */
export function addCountTotals(totals: Float64Array, { indptr, indices, counts, nRows }: HeapRows): void {
  for (let i = indptr[0]; i < indptr[nRows]; i++) totals[indices[i]] += counts[i];
}

/** Whether a filter looks at total counts, which are summed for it alone. */
export const needsCountTotals = ({ minTotalCount }: DeParameters): boolean => minTotalCount > 0;
