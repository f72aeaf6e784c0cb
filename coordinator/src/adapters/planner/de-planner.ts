import {
  encodeBundle,
  SCRATCH_NAMES,
  STAGES,
  type JobContext,
  type SizeFactorSummary,
  type StageName,
  type TaskSpec,
} from '@shardex/shared/artifacts';
import { hasScreenDispersions, isRatioMethod, type DeParameters } from '@shardex/shared/config';
import { ERROR_POLICIES, InvalidInputError, InvariantBrokenError, type ErrorTag } from '@shardex/shared/errors';
import { packMatrixDescriptor } from '@shardex/shared/h5ad';
import { taskId, type JobId } from '@shardex/shared/ids';
import { openStore, type ObjectStore } from '@shardex/shared/storage';
import {
  type ClusterShape,
  fitDesignOf,
  type JobHistory,
  type JobPlanner,
  type JobSpec,
  planControl,
  planGroups,
  type PlannedTask,
  planRatios,
  planShrink,
  planScan,
  poolOf,
  type ScanMatrix,
  type PreparedJob,
  type ReductionReport,
  type ResultsRequest,
  type StagePlan,
} from '../../domain/index.js';
import { withArtifact } from '../reductions/scratch.js';
import {
  claimOutput,
  existingResults,
  makeScratch,
  removeEmptyFolders,
  removeScratch,
  requireScratchPlace,
  scratchFolder,
  scratchRoot,
} from './job-folder.js';
import { readInput, type ResolvedInput } from './read-input.js';
import { requireSameRun } from './same-run.js';
import { REDUCTIONS, runReduction, type ReductionStage } from './run-reduction.js';

/** The version that is written to results and decides whether a run can be resumed. */
export const PRODUCT_VERSION = '0.1.0';

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

export type ReadResults = (folder: string, request: ResultsRequest) => AsyncIterable<Uint8Array>;

interface JobEntry {
  readonly parameters: DeParameters;
  readonly scratchUri: string;
  readonly store: ObjectStore;
  readonly nGenes: number;
  readonly matrix: ScanMatrix;
  /** Levels of the batch column, 1 without. */
  readonly strata: number;
  /** The output and scratch folders as far as this job made them, outermost first each. */
  readonly made: readonly (readonly string[])[];
  /** Task outputs of each planned stage, in task order. */
  readonly outputs: Record<string, readonly string[]>;
}

/** Differential expression as the job machine sees it: what to do first, what comes next, what to do with the pieces. */
export class DePlanner implements JobPlanner {
  private readonly jobs = new Map<JobId, JobEntry>();
  /** Output folders of the jobs that succeeded. */
  private readonly finished = new Map<JobId, string>();

  /**
   * @param cluster - asked whenever a stage is cut into tasks: how many can run at the same time, and with how much memory
   * @param readResults - CSV text of the results in a folder
   */
  constructor(
    private readonly cluster: () => ClusterShape,
    private readonly readResults: ReadResults,
  ) {}

  async prepare(jobId: JobId, spec: JobSpec): Promise<PreparedJob> {
    const input = await readInput(spec.parameters);
    const { parameters } = input;
    const claimed = [...this.jobs.values()].some((job) => job.parameters.output === parameters.output);
    if (claimed) {
      throw new InvalidInputError(`another job is writing to ${parameters.output}`, { hint: 'choose another --out' });
    }
    await requireScratchPlace(scratchRoot(parameters));
    const made = [await claimOutput(parameters.output, spec.existingOutput)];
    const context = contextOf(input);
    const scratchUri = scratchFolder(parameters, identityOf(context));
    const store = openStore(scratchUri);
    try {
      if (spec.existingOutput === 'resume') await requireSameRun(context);
      else await removeScratch(scratchRoot(parameters));
      made.push(await makeScratch(scratchRoot(parameters)));
      await commitContext(store, input, context);
    } catch (error) {
      await removeOwn(scratchUri, made);
      throw error;
    }
    this.jobs.set(jobId, {
      made,
      parameters,
      scratchUri,
      store,
      nGenes: context.nGenes,
      matrix: scanMatrix(input),
      strata: context.design.batch?.levels.length ?? 1,
      outputs: {},
    });
    const results = await existingResults(parameters.output);
    const warnings = [...input.warnings];
    if (spec.existingOutput === 'resume' && results.includes('run.json'))
      warnings.push('finished results are made again');
    return { stages: stagesOf(parameters), params: parameters, warnings };
  }

  async planStage(jobId: JobId, stage: string): Promise<readonly PlannedTask[]> {
    const job = this.entry(jobId);
    const name = `plans/${stage}.json`;
    let specs: TaskSpec[];
    // A resumed job keeps the shards it was cut into, whatever the cluster looks like now.
    if (await job.store.exists(name)) {
      specs = JSON.parse(new TextDecoder().decode(await job.store.readAll(name))) as TaskSpec[];
    } else {
      specs = await this.cut(job, stage as StageName);
      await job.store.commit(name, [new TextEncoder().encode(JSON.stringify(specs))]);
    }
    const outputs = specs.map((_, i) => SCRATCH_NAMES.task(stage, i));
    job.outputs[stage] = outputs;
    const { memoryBytes } = this.cluster();
    return Promise.all(
      specs.map(async (spec, i): Promise<PlannedTask> => {
        const output = outputs[i];
        const task = {
          taskId: taskId(`${jobId}/${stage}/${i}`),
          spec,
          scratchUri: job.scratchUri,
          output,
          memoryBytes,
        };
        if (!(await job.store.exists(output))) return task;
        return { ...task, alreadyDone: { output, bytesRead: 0, bytesWritten: 0, nonzeros: 0, fits: 0, warnings: [] } };
      }),
    );
  }

  async reduce(
    jobId: JobId,
    stage: string,
    report: (fraction: number) => void,
    signal: AbortSignal,
    history: () => JobHistory,
  ): Promise<ReductionReport> {
    const job = this.entry(jobId);
    if (!isReduction(stage)) {
      throw new InvariantBrokenError(`"${stage}" is not a reduction`);
    }
    const order = { stage, scratchUri: job.scratchUri, outputs: job.outputs, history: history() } as const;
    const warnings = await runReduction(order, report, signal);
    if (stage === 'merge') {
      await removeScratch(scratchRoot(job.parameters));
      await removeOwn(job.scratchUri, job.made);
      this.jobs.delete(jobId);
      this.finished.set(jobId, job.parameters.output);
    }
    return { warnings };
  }

  results(jobId: JobId, request: ResultsRequest): AsyncIterable<Uint8Array> {
    const output = this.finished.get(jobId);
    if (output === undefined) {
      throw new InvalidInputError(`job ${jobId} has no results`, { hint: 'wait until it has succeeded' });
    }
    return this.readResults(output, request);
  }

  async abandon(jobId: JobId, failure: ErrorTag | null): Promise<void> {
    const job = this.jobs.get(jobId);
    this.jobs.delete(jobId);
    // Bad input stays bad: nothing can go on from it. After anything else --resume can, so the scratch stays.
    const isBadInput = failure !== null && ERROR_POLICIES[failure].exitCode === 2;
    if (job !== undefined && isBadInput) await removeOwn(job.scratchUri, job.made);
  }

  private entry(jobId: JobId): JobEntry {
    const job = this.jobs.get(jobId);
    if (job === undefined) throw new InvariantBrokenError(`job ${jobId} was never prepared`);
    return job;
  }

  private async cut(job: JobEntry, stage: StageName): Promise<TaskSpec[]> {
    const cluster = this.cluster();
    if (stage === 'scan') return planScan(job.matrix, cluster);
    if (stage === 'ratios') return planRatios(job.outputs['scan'].length);
    if (stage === 'shrink') return planShrink(job.outputs['fit'].length);
    const groupNonzeros = await withArtifact<SizeFactorSummary, Float64Array>(
      job.store,
      SCRATCH_NAMES.sizeFactors,
      (reader) => reader.f64('groupNonzeros'),
    );
    const { parameters, nGenes, strata } = job;
    if (stage === 'control') return planControl(nGenes, poolOf(parameters, groupNonzeros), cluster);
    if (stage === 'dispersion' && parameters.dispersionScope === 'control') {
      return [{ kind: 'dispersion', groupBegin: 0, groupEnd: 1 }];
    }
    if (stage === 'dispersion' || stage === 'fit') {
      return planGroups(stage, groupNonzeros, nGenes, cluster, fitDesignOf(parameters, strata));
    }
    throw new InvariantBrokenError(`stage "${stage}" is not cut into tasks`);
  }
}

/** Removes one run's intermediate files, and the folders that were made for it as far as nothing else is in them. */
async function removeOwn(scratchUri: string, made: readonly (readonly string[])[]): Promise<void> {
  await removeScratch(scratchUri);
  for (const folders of [...made].reverse()) await removeEmptyFolders(folders);
}

function scanMatrix({ descriptor }: ResolvedInput): ScanMatrix {
  const { kind, nRows, nColumns } = descriptor;
  return { kind, nRows, storedCount: kind === 'dense' ? nRows * nColumns : descriptor.nonzeroCount };
}

const isReduction = (stage: string): stage is ReductionStage => (REDUCTIONS as readonly string[]).includes(stage);

/** What the coordinator's own stages leave in scratch; `merge` writes the results. */
const REDUCTION_OUTPUTS: Readonly<Record<ReductionStage, string | null>> = {
  'gene-means': SCRATCH_NAMES.geneMeans,
  'size-factors': SCRATCH_NAMES.sizeFactors,
  trend: SCRATCH_NAMES.trend,
  'shrink-prior': SCRATCH_NAMES.shrinkPrior,
  merge: null,
};

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

function contextOf(input: ResolvedInput): JobContext {
  const { json, arrays } = packMatrixDescriptor(input.descriptor);
  return {
    version: PRODUCT_VERSION,
    parameters: input.parameters,
    inputScale: input.inputScale,
    nCells: input.descriptor.nRows,
    nGenes: input.descriptor.nColumns,
    groupLabels: input.design.labels,
    design: input.covariates.design,
    inputVersion: input.metadata.version,
    inputBytes: input.metadata.sizeBytes,
    geneNames: input.metadata.varNames ?? [],
    warnings: input.warnings,
    matrix: {
      json,
      arrays: Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, dtypeOf(array)])),
    },
  };
}

const dtypeOf = (array: Float64Array | Uint32Array | Uint8Array): 'f64' | 'u32' | 'u8' =>
  array instanceof Float64Array ? 'f64' : array instanceof Uint32Array ? 'u32' : 'u8';

async function commitContext(store: ObjectStore, input: ResolvedInput, context: JobContext): Promise<void> {
  const { arrays } = packMatrixDescriptor(input.descriptor);
  const matrix = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [`matrix/${name}`, array]));
  const { stratum, batch, covariates } = input.covariates;
  const optional = Object.entries({ givenSizeFactor: input.givenSizeFactors, stratum, batch, covariates });
  const present = Object.fromEntries(
    optional.filter((entry): entry is [string, Float64Array | Int32Array] => entry[1] !== null),
  );
  await store.commit(
    SCRATCH_NAMES.context,
    encodeBundle(context, { group: input.design.group, ...present, ...matrix }),
  );
}

/** Everything that results depend on: a run with another identity has another scratch folder. */
const identityOf = ({ version, parameters, inputVersion }: JobContext): string =>
  JSON.stringify({ version, parameters, inputVersion });
