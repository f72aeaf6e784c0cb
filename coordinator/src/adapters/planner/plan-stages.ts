import { SCRATCH_NAMES, STAGES, type StageName } from '@shardex/shared/artifacts';
import { hasScreenDispersions, isRatioMethod, type DeParameters } from '@shardex/shared/config';
import type { StagePlan } from '../../domain/index.js';
import { REDUCTIONS, type ReductionStage } from './reduction-messages.js';

/** Expected cost of each stage relative to the others, for the time estimate; measured on a 50,000 × 8,000 screen. */
const STAGE_WEIGHTS: Readonly<Record<StageName, number>> = {
  scan: 20,
  'gene-means': 1,
  ratios: 12,
  'size-factors': 1,
  control: 6,
  dispersion: 35,
  trend: 2,
  fit: 30,
  'shrink-prior': 2,
  shrink: 18,
  merge: 6,
};

/** What the coordinator's own stages leave in scratch; `merge` writes the results. */
export const REDUCTION_OUTPUTS: Readonly<Record<ReductionStage, string | null>> = {
  'gene-means': SCRATCH_NAMES.geneMeans,
  'size-factors': SCRATCH_NAMES.sizeFactors,
  trend: SCRATCH_NAMES.trend,
  'shrink-prior': SCRATCH_NAMES.shrinkPrior,
  merge: null,
};

export const isReduction = (stage: string): stage is ReductionStage =>
  (REDUCTIONS as readonly string[]).includes(stage);

/**
 * Only size factors by median of ratios need the gene-means and ratios stages, only the NB-GLM with dispersions estimated
 * from the whole screen needs dispersion and trend, and only shrinkage shrink, and shrink-prior if there is one prior for the screen.
 */
export function stagesOf(parameters: DeParameters): StagePlan[] {
  const left = new Set<StageName>();
  if (!isRatioMethod(parameters.sizeFactors)) left.add('gene-means').add('ratios');
  if (!hasScreenDispersions(parameters)) left.add('dispersion').add('trend');
  const isShrunk = parameters.tests.includes('nb-glm') && parameters.shrink === 'apeglm';
  if (!isShrunk) left.add('shrink');
  if (!isShrunk || parameters.shrinkPrior !== 'global') left.add('shrink-prior');
  return STAGES.filter((name) => !left.has(name)).map((name) => {
    const weight = STAGE_WEIGHTS[name];
    if (!isReduction(name)) return { name, executor: 'workers', weight };
    const output = REDUCTION_OUTPUTS[name];
    return { name, executor: 'coordinator', weight, ...(output === null ? {} : { output }) };
  });
}
