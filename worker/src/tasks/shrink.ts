import {
  encodeBundle,
  fitArrayName,
  SCRATCH_NAMES,
  type FitSummary,
  type ShrinkPriorSummary,
  type ShrinkSummary,
  type TaskSpec,
} from '@shardex/shared/artifacts';
import { InvariantBrokenError } from '@shardex/shared/errors';
import { estimatePriorScale } from '@shardex/shared/stats';
import type { TaskOutput } from './commit.js';
import { MeasuresEngine } from './fit-nb.js';
import { FitRows } from './fit-rows.js';
import { frozenStatistics } from './frozen-control.js';
import type { JobData } from './job-data.js';
import { isCountBlock } from './nb-engine.js';
import { openGroupRows, type TaskScope } from './task-scope.js';

type ShrinkSpec = Extract<TaskSpec, { kind: 'shrink' }>;

/**
 * Shrinks the fold changes of one fit output. The measures of its perturbations are made again from their cells: kept between
 * the stages they would be three times the size of the results.
 */
export async function runShrink(scope: TaskScope, spec: ShrinkSpec): Promise<TaskOutput> {
  const { job, runtime } = scope;
  const { nGenes, parameters } = job.context;
  const fit = await readFit(job, spec.fit);
  const { groups } = fit;
  const globalScale = parameters.shrinkPrior === 'global' ? await readScale(job) : null;
  const results = new FitRows(parameters, groups.length, nGenes, 'shrink');
  const control = await frozenStatistics(job);
  if (control.nb === null) throw new InvariantBrokenError('there is no NB-GLM to shrink');
  const engine = new MeasuresEngine(scope, await job.cellFactors(), control, control.nb, results);
  const summary = { priorScales: [] as number[], twoModes: [] as number[], notConverged: [] as number[] };
  const rows = await openGroupRows(scope, groups[0] ?? 0, (groups.at(-1) ?? -1) + 1);
  let nonzeros = 0;
  for (const [row, group] of groups.entries()) {
    engine.reset();
    for await (const block of rows.blocks(group)) {
      if (!isCountBlock(block)) throw new InvariantBrokenError('shrinkage needs counts');
      engine.addRows(block);
    }
    const [foldChanges, errors] = [fit.foldChanges, fit.errors].map((values) =>
      values.subarray(row * nGenes, (row + 1) * nGenes),
    );
    const scale = globalScale ?? estimatePriorScale(foldChanges, errors);
    const { converged, twoModes } = engine.shrink(row, Float64Array.from(foldChanges), scale);
    summary.priorScales.push(scale);
    summary.twoModes.push(twoModes.reduce((n, flag) => n + flag, 0));
    summary.notConverged.push(foldChanges.reduce((n, x, gene) => n + (Number.isNaN(x) ? 0 : 1 - converged[gene]), 0));
    nonzeros += rows.nonzerosOf(group);
    runtime.progress((row + 1) / groups.length);
  }
  const meta: ShrinkSummary = summary;
  return {
    parts: encodeBundle(meta, results.toArrays()),
    bytesRead: rows.bytesRead + fit.bytes,
    nonzeros,
    fits: groups.length * nGenes,
    warnings: [],
  };
}

interface Fit {
  readonly groups: readonly number[];
  /** log2, rows × genes, and their standard errors. */
  readonly foldChanges: Float32Array;
  readonly errors: Float32Array;
  readonly bytes: number;
}

async function readFit(job: JobData, ordinal: number): Promise<Fit> {
  const outputs = await job.outputsOf('fit');
  const reader = await job.open<FitSummary>(outputs[ordinal]);
  try {
    const foldChanges = await reader.f32(fitArrayName('nb-glm', 'X'));
    const errors = await reader.f32(fitArrayName('nb-glm', 'standard_error'));
    const bytes = foldChanges.byteLength + errors.byteLength;
    return { groups: reader.meta.groups, foldChanges, errors, bytes };
  } finally {
    await reader.close();
  }
}

async function readScale(job: JobData): Promise<number> {
  const reader = await job.open<ShrinkPriorSummary>(SCRATCH_NAMES.shrinkPrior);
  try {
    return reader.meta.scale;
  } finally {
    await reader.close();
  }
}
