import type { ShrinkSummary } from '@shardex/shared/artifacts';
import type { Shrinkage } from '../../domain/index.js';
import { withArtifact, type ReductionScope } from './scratch.js';

/** How this run shrank its fold changes, from the headers of the `shrink` outputs; null when it did not. */
export async function readShrinkage(scope: ReductionScope): Promise<Shrinkage | null> {
  const names = scope.outputs['shrink'];
  if (names === undefined) return null;
  const priorScales: number[] = [];
  let twoModes = 0;
  let notConverged = 0;
  for (const name of names) {
    const summary = await withArtifact<ShrinkSummary, ShrinkSummary>(scope.store, name, ({ meta }) =>
      Promise.resolve(meta),
    );
    priorScales.push(...summary.priorScales);
    for (const genes of summary.twoModes) twoModes += genes;
    for (const genes of summary.notConverged) notConverged += genes;
  }
  const prior = scope.context.parameters.shrinkPrior;
  return { likelihood: 'counts', prior, priorScales: Float64Array.from(priorScales), twoModes, notConverged };
}
