import type { DeParameters } from '@shardex/shared/config';
import { GeneStatus } from '@shardex/shared/stats';
import type { FitRows } from './fit-rows.js';

/**
 * Sets the status of every gene of one perturbation before it is tested, test by test: why it is left out, or `tested`.
 * Each test reads its own row, and sets it to what became of the genes it tested.
 */
export function markFilteredGenes(results: FitRows, row: number, parameters: DeParameters, geneKept: Uint8Array): void {
  for (const test of parameters.tests) {
    const status = geneKept.map((kept) => (kept === 1 ? GeneStatus.tested : GeneStatus.filteredLowCells));
    results.set(test, 'status', row, status);
  }
}
