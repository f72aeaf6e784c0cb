import type { TestName } from '@shardex/shared/config';
import { MomentColumn } from '@shardex/shared/kernels';
import { logFoldChange } from '@shardex/shared/stats';
import type { FitRows } from './fit-rows.js';
import type { ArmSums } from './reference.js';

/** Sums a gene of a `MomentAccumulator`. */
const MOMENTS = Object.keys(MomentColumn).length;

function meansOf({ moments, cells, nExpressing }: ArmSums, column: number): Float64Array {
  const means = new Float64Array(nExpressing.length);
  for (let gene = 0; gene < means.length; gene++) means[gene] = moments[gene * MOMENTS + column] / cells;
  return means;
}

function sharesOf({ nExpressing, cells }: ArmSums): Float32Array {
  const shares = new Float32Array(nExpressing.length);
  for (let gene = 0; gene < shares.length; gene++) shares[gene] = nExpressing[gene] / cells;
  return shares;
}

/** Sets what describes one perturbation's expression beside its reference's, in every test's layers. */
export function setMeanLayers(
  results: FitRows,
  row: number,
  own: ArmSums,
  reference: ArmSums,
  tests: readonly TestName[],
): void {
  const [pts, ptsRest] = [sharesOf(own), sharesOf(reference)];
  const normalised = meansOf(reference, MomentColumn.normalized);
  const logFoldChanges = meansOf(own, MomentColumn.normalized).map((mean, gene) =>
    logFoldChange(mean, normalised[gene]),
  );
  const scaled = meansOf(reference, MomentColumn.scaled);
  for (const test of tests) {
    results.set(test, 'pts', row, pts);
    results.set(test, 'pts_rest', row, ptsRest);
    results.set(test, 'reference_mean', row, test === 'nb-glm' ? scaled : normalised);
    results.set(test, 'logfoldchanges', row, logFoldChanges);
  }
}
