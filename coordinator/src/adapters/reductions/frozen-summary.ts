import {
  SCRATCH_NAMES,
  type ControlSummary,
  type SizeFactorSummary,
  type TrendSummary,
} from '@shardex/shared/artifacts';
import { MomentColumn } from '@shardex/shared/kernels';
import type { FitOutputs } from './fit-outputs.js';
import { withArtifact, type ReductionScope } from './scratch.js';

/** What the results say of the control and of every gene. */
export interface FrozenSummary {
  readonly factors: SizeFactorSummary;
  readonly trend: TrendSummary | null;
  readonly controlCells: number;
  /** Share of control cells that express the gene, per gene. */
  readonly ptsRest: Float32Array;
  /** Mean of y / sizeFactor over the control cells, per gene; null when there are no counts. */
  readonly controlMeanScaled: Float32Array | null;
  /** Mean of the normalised, not logged, expression (counts per 10,000) of the control cells, per gene. */
  readonly controlMeanNormalised: Float32Array;
  /** Per gene; null when the dispersion was not estimated. */
  readonly dispersion: {
    readonly final: Float32Array;
    readonly trend: Float32Array;
    readonly genewise: Float32Array;
  } | null;
  /** A sentence when fits did not converge. */
  notConverged(fits: FitOutputs): readonly string[];
}

/** Sums a gene in the control's `moments`. */
const MOMENTS = Object.keys(MomentColumn).length;

export async function readFrozen(scope: ReductionScope): Promise<FrozenSummary> {
  const { store, context } = scope;
  const { nGenes, parameters } = context;
  const factors = await withArtifact<SizeFactorSummary, SizeFactorSummary>(store, SCRATCH_NAMES.sizeFactors, (reader) =>
    Promise.resolve(reader.meta),
  );
  const ptsRest = new Float32Array(nGenes);
  const controlMeanNormalised = new Float32Array(nGenes);
  const controlMeanScaled = new Float32Array(nGenes);
  let controlCells = 0;
  for (const name of scope.outputs['control'] ?? []) {
    await withArtifact<ControlSummary, void>(store, name, async (reader) => {
      const { geneBegin, geneEnd, cells } = reader.meta;
      controlCells = cells;
      const nExpressing = await reader.u32('nExpressing');
      const moments = await reader.f64('moments');
      for (let gene = geneBegin; gene < geneEnd; gene++) {
        ptsRest[gene] = nExpressing[gene - geneBegin] / cells;
        const at = (gene - geneBegin) * MOMENTS;
        controlMeanNormalised[gene] = moments[at + MomentColumn.normalized] / cells;
        controlMeanScaled[gene] = moments[at + MomentColumn.scaled] / cells;
      }
    });
  }
  const isEstimated = parameters.tests.includes('nb-glm') && parameters.dispersion === null;
  const trend = !isEstimated
    ? null
    : await withArtifact<TrendSummary, { meta: TrendSummary; arrays: NonNullable<FrozenSummary['dispersion']> }>(
        store,
        SCRATCH_NAMES.trend,
        async (reader) => ({
          meta: reader.meta,
          arrays: {
            final: Float32Array.from(await reader.f64('final')),
            trend: Float32Array.from(await reader.f64('trend')),
            genewise: Float32Array.from(await reader.f64('genewise')),
          },
        }),
      );
  return {
    factors,
    trend: trend?.meta ?? null,
    controlCells,
    ptsRest,
    controlMeanScaled: context.inputScale === 'counts' ? controlMeanScaled : null,
    controlMeanNormalised,
    dispersion: trend?.arrays ?? null,
    notConverged: (fits) =>
      fits.notConverged === 0 ? [] : [`${fits.notConverged} fits did not converge; their status says so`],
  };
}
