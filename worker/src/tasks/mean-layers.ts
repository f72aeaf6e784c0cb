import type { DeParameters, TestName } from '@shardex/shared/config';
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

function logFoldChangesOf(own: ArmSums, reference: ArmSums): Float64Array {
  const normalised = meansOf(reference, MomentColumn.normalized);
  return meansOf(own, MomentColumn.normalized).map((mean, gene) => logFoldChange(mean, normalised[gene]));
}

/** Whether a run looks at moments: the NB-GLM against the control, with no filter on means, does not. */
export const needsMoments = ({ tests, reference, lowExpressionFilter }: DeParameters): boolean =>
  reference !== 'control' || lowExpressionFilter || tests.some((test) => test !== 'nb-glm');

/** Sets what describes one perturbation's expression beside its reference's, in every test's layers. */
export function setMeanLayers(
  results: FitRows,
  row: number,
  own: ArmSums,
  reference: ArmSums,
  tests: readonly TestName[],
): void {
  const set = (layer: string, of: readonly TestName[], make: () => ArrayLike<number>): void => {
    const writers = of.filter((test) => results.has(test, layer));
    if (writers.length === 0) return;
    const values = make();
    for (const test of writers) results.set(test, layer, row, values);
  };
  const [counts, others] = [true, false].map((isNb) => tests.filter((test) => (test === 'nb-glm') === isNb));
  set('pts', tests, () => sharesOf(own));
  set('pts_rest', tests, () => sharesOf(reference));
  set('reference_mean', counts, () => meansOf(reference, MomentColumn.scaled));
  set('reference_mean', others, () => meansOf(reference, MomentColumn.normalized));
  set('logfoldchanges', tests, () => logFoldChangesOf(own, reference));
}
