import {
  encodeBundle,
  fitArrayName,
  SCRATCH_NAMES,
  type FitSummary,
  type ShrinkPriorSummary,
} from '@shardex/shared/artifacts';
import { priorScaleOf, PriorVarianceSearch } from '@shardex/shared/stats';
import { withArtifact, type ReductionScope } from './scratch.js';

/** Passes that a search takes; only the progress display depends on it. */
const EXPECTED_PASSES = 10;

/**
 * The `shrink-prior` stage: the scale of apeGLM's prior from the fold changes of the whole screen. It reads them once a pass,
 * in the order of the result rows, and holds one fit output at a time.
 */
export async function reduceShrinkPrior(scope: ReductionScope): Promise<readonly string[]> {
  const { store } = scope;
  const search = new PriorVarianceSearch();
  const inNaturalLog = (values: Float32Array): Float64Array => Float64Array.from(values, (value) => value * Math.LN2);
  for (let pass = 1; search.variance === null; pass++) {
    for (const name of scope.outputs['fit'] ?? []) {
      scope.checkCancelled();
      await withArtifact<FitSummary, void>(store, name, async (reader) => {
        const foldChanges = inNaturalLog(await reader.f32(fitArrayName('nb-glm', 'X')));
        search.add(foldChanges, inNaturalLog(await reader.f32(fitArrayName('nb-glm', 'standard_error'))));
      });
    }
    search.endPass();
    scope.report(Math.min(1, pass / EXPECTED_PASSES));
  }
  const summary: ShrinkPriorSummary = { scale: priorScaleOf(search.variance) };
  await store.commit(SCRATCH_NAMES.shrinkPrior, encodeBundle(summary, {}));
  return [];
}
