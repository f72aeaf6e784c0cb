import {
  SCRATCH_NAMES,
  type ControlSummary,
  type SizeFactorSummary,
  type TrendSummary,
} from '@shardex/shared/artifacts';
import { hasScreenDispersions, type TestName } from '@shardex/shared/config';
import { MomentColumn } from '@shardex/shared/kernels';
import { withArtifact, type ReductionScope } from './scratch.js';

/** What the results say of the cells that perturbations were compared with, and of every gene. */
export interface FrozenSummary {
  readonly factors: SizeFactorSummary;
  readonly trend: TrendSummary | null;
  /** Control cells that took part. */
  readonly controlCells: number;
  /** Cells that perturbations were compared with: the control's; or with another reference all, one's own among them. */
  readonly poolCells: number;
  /** The control, per gene; null with another reference, when what a perturbation is compared with is its own. */
  readonly control: {
    /** Share of the cells that express the gene. */
    readonly ptsRest: Float32Array;
    /** Mean of y / sizeFactor; null when there are no counts. */
    readonly meanScaled: Float32Array | null;
    /** Mean of the normalised, not logged, expression (counts per 10,000). */
    readonly meanNormalised: Float32Array;
  } | null;
  /** Per gene; null when the dispersions were given or belong to single comparisons. */
  readonly dispersion: {
    readonly final: Float32Array;
    readonly trend: Float32Array;
    readonly genewise: Float32Array;
  } | null;
}

/** Mean expression of the control in the unit of a test's results: per size factor for the NB-GLM, normalised for the others. */
export const controlMeanOf = (test: TestName, control: NonNullable<FrozenSummary['control']>): Float32Array =>
  (test === 'nb-glm' ? control.meanScaled : null) ?? control.meanNormalised;

/** Sums a gene in the control's `moments`. */
const MOMENTS = Object.keys(MomentColumn).length;

export async function readFrozen(scope: ReductionScope): Promise<FrozenSummary> {
  const { store, context } = scope;
  const { nGenes, parameters } = context;
  const { factors, controlCells } = await withArtifact<
    SizeFactorSummary,
    { factors: SizeFactorSummary; controlCells: number }
  >(store, SCRATCH_NAMES.sizeFactors, async (reader) => ({
    factors: reader.meta,
    controlCells: (await reader.u32('groupCells'))[0],
  }));
  const ptsRest = new Float32Array(nGenes);
  const meanNormalised = new Float32Array(nGenes);
  const meanScaled = new Float32Array(nGenes);
  let poolCells = 0;
  for (const name of scope.outputs['control'] ?? []) {
    await withArtifact<ControlSummary, void>(store, name, async (reader) => {
      const { geneBegin, geneEnd, cells } = reader.meta;
      poolCells = cells;
      if (parameters.reference !== 'control') return;
      const nExpressing = await reader.u32('nExpressing');
      const moments = await reader.f64('moments');
      for (let gene = geneBegin; gene < geneEnd; gene++) {
        ptsRest[gene] = nExpressing[gene - geneBegin] / cells;
        const at = (gene - geneBegin) * MOMENTS;
        meanNormalised[gene] = moments[at + MomentColumn.normalized] / cells;
        meanScaled[gene] = moments[at + MomentColumn.scaled] / cells;
      }
    });
  }
  const trend = !hasScreenDispersions(parameters)
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
    poolCells,
    control:
      parameters.reference === 'control'
        ? { ptsRest, meanScaled: context.inputScale === 'counts' ? meanScaled : null, meanNormalised }
        : null,
    dispersion: trend?.arrays ?? null,
  };
}
