import { encodeBundle, SCRATCH_NAMES, type GeneMeansSummary } from '@shardex/shared/artifacts';
import { isRatioMethod } from '@shardex/shared/config';
import { InvalidInputError, InvariantBrokenError } from '@shardex/shared/errors';
import { logReferenceProfile } from '@shardex/shared/stats';
import { keptCellsOf, sumScans } from './scan-sums.js';
import type { ReductionScope } from './scratch.js';

/** With fewer genes a median says little about a cell's depth. */
const FEW_GENES = 10;

/**
 * The `gene-means` stage: the reference profile that the `ratios` stage compares every cell with.
 *
 * @returns warnings
 * @throws InvalidInputError when the method is `ratio` and no gene is expressed in all cells
 */
export async function reduceGeneMeans(scope: ReductionScope): Promise<readonly string[]> {
  const method = scope.context.parameters.sizeFactors;
  const sums = await sumScans(scope);
  if (!isRatioMethod(method) || sums.logSums === null) {
    throw new InvariantBrokenError(`size factors "${method}" need no reference profile`);
  }
  const nCells = keptCellsOf(sums);
  const logProfile = logReferenceProfile(method, sums.logSums, sums.geneCells, nCells);
  const genes = logProfile.reduce((n, log) => n + (Number.isNaN(log) ? 0 : 1), 0);
  if (genes === 0) {
    const most = sums.geneCells.reduce((a, b) => Math.max(a, b), 0);
    throw new InvalidInputError(
      `--size-factors ratio needs a gene that is expressed in all cells, and the most widespread one is in ${most} of ${nCells}`,
      { hint: 'choose --size-factors total, poscounts or sparse' },
    );
  }
  const warnings =
    genes < FEW_GENES
      ? [
          `the size factors rest on the ${genes === 1 ? 'one gene that is' : `${genes} genes that are`} expressed in all cells`,
        ]
      : [];
  const summary: GeneMeansSummary = { genes, warnings };
  await scope.store.commit(SCRATCH_NAMES.geneMeans, encodeBundle(summary, { logProfile, groupKept: sums.groupKept }));
  return warnings;
}
