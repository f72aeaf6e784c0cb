import { availableParallelism } from 'node:os';
import {
  commitTaskPlan,
  lostArtifacts,
  readTaskPlan,
  SCRATCH_NAMES,
  type CellDesign,
  type SizeFactorSummary,
  type PlanItem,
  type StageName,
  type TaskSpec,
} from '@shardex/shared/artifacts';
import type { DeParameters } from '@shardex/shared/config';
import { CancelledError, ERROR_POLICIES, InvalidInputError, InvariantBrokenError } from '@shardex/shared/errors';
import type { JobId, TaskId } from '@shardex/shared/ids';
import { openStore, type ObjectStore } from '@shardex/shared/storage';
import type { Logger } from '@shardex/shared/telemetry';
import {
  type ClusterShape,
  type ExistingOutput,
  fitDesignOf,
  type GroupSizes,
  type JobEnd,
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
  sharedReadsOf,
  workOfTask,
} from '../../domain/index.js';
import { withArtifact } from '../reductions/scratch.js';
import type { FolderLock } from '../lock/index.js';
import {
  clearOutput,
  existingResults,
  makeScratch,
  makeOutput,
  removeEmptyFolders,
  removeScratch,
  requireScratchPlace,
  scratchFolder,
  scratchRoot,
} from './job-folder.js';
import { commitContext, contextOf, identityOf } from './job-context.js';
import { takeOutput } from './output-lock.js';
import { isReduction, REDUCTION_OUTPUTS, stagesOf } from './plan-stages.js';
import { readInput, type ResolvedInput } from './read-input.js';
import { requireSameRun } from './same-run.js';
import { halfName, idOf, splitsOf } from './task-names.js';
import { Turnstile } from './turnstile.js';
import type { ReductionStage } from './reduction-messages.js';
import { ReductionThreads } from './run-reduction.js';

/**
 * So many inputs are opened at a time, each in a thread: a crowd of submissions, or of jobs that a restart takes up, waits
 * its turn rather than starve the thread that answers workers. More than a few, because remote storage is mostly waiting.
 */
const INPUTS_AT_ONCE = Math.max(4, availableParallelism());

/** The stage whose outputs hold the rows of the results. */
const RESULTS_STAGE = 'fit' satisfies StageName;

export type ReadResults = (folder: string, request: ResultsRequest) => AsyncIterable<Uint8Array>;

interface JobEntry {
  readonly parameters: DeParameters;
  readonly scratchUri: string;
  readonly store: ObjectStore;
  readonly nGenes: number;
  readonly matrix: ScanMatrix;
  readonly design: CellDesign;
  /** The output and scratch folders as far as this job made them, outermost first each. */
  readonly made: readonly (readonly string[])[];
  /** No other process writes to the output folder. */
  readonly lock: FolderLock;
  /** Commits what tasks need of the job as a whole. */
  readonly commitContext: () => Promise<void>;
  /** The tasks of each planned stage, in order of their ranges. */
  readonly plans: Map<string, readonly PlanItem[]>;
  /** Reductions that are done. */
  readonly reduced: Set<ReductionStage>;
  /** Ends when the latest change of a plan is on scratch: they are written one after the other. */
  planning: Promise<unknown>;
}

/** Differential expression as the job machine sees it: what to do first, what comes next, what to do with the pieces. */
export class DePlanner implements JobPlanner {
  private readonly jobs = new Map<JobId, JobEntry>();
  private readonly threads: ReductionThreads;
  private readonly inputs = new Turnstile(INPUTS_AT_ONCE);
  private isClosed = false;

  /**
   * @param cluster - asked whenever a stage is cut into tasks: how many can run at the same time, and with how much memory
   * @param readResults - CSV text of the results in a folder
   * @param logger - told what goes wrong without harm
   */
  constructor(
    private readonly cluster: () => ClusterShape,
    private readonly readResults: ReadResults,
    logger: Logger | null = null,
  ) {
    this.threads = new ReductionThreads(logger);
  }

  async prepare(jobId: JobId, spec: JobSpec): Promise<PreparedJob> {
    const input = await this.inputs.pass(() => readInput(spec.parameters));
    const { parameters } = input;
    await this.begin(jobId, input, spec.existingOutput);
    const results = await existingResults(parameters.output);
    const warnings = [...input.warnings];
    if (spec.existingOutput === 'resume' && results.includes('run.json'))
      warnings.push('finished results are made again');
    return { stages: stagesOf(parameters), params: parameters, warnings };
  }

  async restore(jobId: JobId, { params }: PreparedJob): Promise<void> {
    await this.begin(jobId, await this.inputs.pass(() => readInput(params)), 'continue');
  }

  async planStage(jobId: JobId, stage: string): Promise<readonly PlannedTask[]> {
    const job = this.entry(jobId);
    await job.lock.confirm();
    let items: readonly PlanItem[];
    // A resumed job keeps the shards it was cut into, whatever the cluster looks like now.
    if (await job.store.exists(SCRATCH_NAMES.plan(stage))) items = await readTaskPlan(job.store, stage);
    else {
      const { specs, groups } = await this.cut(job, stage as StageName);
      items = specs.map((spec, i) => {
        return { spec, output: SCRATCH_NAMES.task(stage, i), work: workOfTask(spec, groups) };
      });
      await commitTaskPlan(job.store, stage, items);
    }
    job.plans.set(stage, items);
    const tasks = await Promise.all(items.map((item) => this.planned(jobId, job, stage, item)));
    if (stage === RESULTS_STAGE) this.writeAhead(jobId, job, tasks);
    return tasks;
  }

  async splitTask(
    jobId: JobId,
    stage: string,
    whole: TaskId,
    halves: readonly [TaskSpec, TaskSpec],
  ): Promise<readonly [PlannedTask, PlannedTask]> {
    const job = this.entry(jobId);
    const split = job.planning.then(() => replaceByHalves(jobId, job, stage, whole, halves));
    job.planning = split.catch(() => undefined);
    const [first, second] = await split;
    return [await this.planned(jobId, job, stage, first), await this.planned(jobId, job, stage, second)];
  }

  async auditScratch(jobId: JobId): Promise<readonly string[]> {
    const job = this.entry(jobId);
    const { store } = job;
    if (!(await store.exists(SCRATCH_NAMES.context))) await job.commitContext();
    for (const [stage, items] of job.plans) {
      if (!(await store.exists(SCRATCH_NAMES.plan(stage)))) await commitTaskPlan(store, stage, items);
    }
    const reduced = [...job.reduced].map((stage) => REDUCTION_OUTPUTS[stage]).filter((name) => name !== null);
    const outputs = [...[...job.plans.values()].flat().map(({ output }) => output), ...reduced];
    return lostArtifacts(store, outputs);
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
    await job.lock.confirm();
    const { scratchUri, lock } = job;
    const order = { stage, scratchUri, outputs: outputsOf(job), history: history(), lock: lock.token } as const;
    const warnings = await this.threads.run(jobId, order, report, signal);
    job.reduced.add(stage);
    return { warnings };
  }

  outputCommitted(jobId: JobId, stage: string, output: string): void {
    if (stage === RESULTS_STAGE) this.threads.ahead.add(jobId, output);
  }

  results(params: DeParameters, request: ResultsRequest): AsyncIterable<Uint8Array> {
    return this.readResults(params.output, request);
  }

  async conclude(jobId: JobId, end: JobEnd): Promise<void> {
    const job = this.jobs.get(jobId);
    if (job === undefined) return;
    this.jobs.delete(jobId);
    await this.threads.ahead.drop(jobId);
    try {
      await leave(job, end);
    } finally {
      // Threads take a moment to end, for which nobody has to wait who is after the folder.
      if (this.jobs.size === 0) await this.threads.close();
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    // What they write lies in folders whose locks are released then.
    await this.threads.close();
    for (const { lock } of this.jobs.values()) await lock.release();
    this.jobs.clear();
  }

  /** Has results written while the stage runs, if more than its last task's would be there before its end. */
  private writeAhead(jobId: JobId, job: JobEntry, tasks: readonly PlannedTask[]): void {
    const done = tasks.filter(({ alreadyDone }) => alreadyDone !== undefined);
    if (tasks.length - done.length < 2 || !job.parameters.formats.includes('h5ad')) return;
    this.threads.ahead.begin(jobId, { scratchUri: job.scratchUri, outputs: outputsOf(job) });
    for (const { output } of done) this.outputCommitted(jobId, RESULTS_STAGE, output);
  }

  /** Takes the output folder and puts down what all tasks need. @param existing - `continue`: whatever there is, is ours */
  private async begin(jobId: JobId, input: ResolvedInput, existing: ExistingOutput | 'continue'): Promise<void> {
    const { parameters } = input;
    const claimed = [...this.jobs.values()].some((job) => job.parameters.output === parameters.output);
    if (claimed) {
      throw new InvalidInputError(`another job is writing to ${parameters.output}`, { hint: 'choose another --out' });
    }
    await requireScratchPlace(scratchRoot(parameters));
    const made = [await makeOutput(parameters.output)];
    const lock = await takeOutput(parameters.output).catch(async (error: unknown) => {
      await removeMade(made);
      throw error;
    });
    try {
      await clearOutput(parameters.output, existing === 'continue' ? 'resume' : existing);
      const context = contextOf(input);
      const scratchUri = scratchFolder(parameters, identityOf(context));
      if (existing === 'resume' || existing === 'continue') await requireSameRun(context, existing);
      else await removeScratch(scratchRoot(parameters));
      made.push(await makeScratch(scratchRoot(parameters)));
      const store = openStore(scratchUri);
      const commit = (): Promise<void> => commitContext(store, input, context);
      await commit();
      // Nobody would release the folder any more.
      if (this.isClosed) throw new CancelledError('the coordinator has stopped', { hint: 'submit again' });
      this.jobs.set(jobId, {
        made,
        parameters,
        scratchUri,
        store,
        lock,
        nGenes: context.nGenes,
        matrix: scanMatrix(input),
        design: context.design,
        commitContext: commit,
        plans: new Map(),
        reduced: new Set(),
        planning: Promise.resolve(),
      });
      this.threads.prepare();
    } catch (error) {
      await lock.release();
      await removeMade(made);
      throw error;
    }
  }

  private async planned(jobId: JobId, job: JobEntry, stage: string, item: PlanItem): Promise<PlannedTask> {
    const { spec, output, work } = item;
    const task = {
      taskId: idOf(jobId, stage, output),
      spec,
      scratchUri: job.scratchUri,
      output,
      memoryBytes: this.cluster().memoryBytes,
      splits: splitsOf(output),
      ...(work === undefined ? {} : { work }),
    };
    if (!(await job.store.exists(output))) return task;
    return { ...task, alreadyDone: { output, bytesRead: 0, bytesWritten: 0, nonzeros: 0, fits: 0, warnings: [] } };
  }

  private entry(jobId: JobId): JobEntry {
    const job = this.jobs.get(jobId);
    if (job === undefined) throw new InvariantBrokenError(`job ${jobId} was never prepared`);
    return job;
  }

  private async cut(job: JobEntry, stage: StageName): Promise<{ specs: TaskSpec[]; groups: GroupSizes | null }> {
    const cluster = this.cluster();
    if (stage === 'scan') return { specs: planScan(job.matrix, cluster), groups: null };
    if (stage === 'ratios') return { specs: planRatios(itemsOf(job, 'scan').length), groups: null };
    if (stage === 'shrink') return { specs: planShrink(itemsOf(job, 'fit').length), groups: null };
    const groupNonzeros = await withArtifact<SizeFactorSummary, Float64Array>(
      job.store,
      SCRATCH_NAMES.sizeFactors,
      (reader) => reader.f64('groupNonzeros'),
    );
    const { parameters, nGenes, design } = job;
    const groups = { nonzeros: groupNonzeros, nGenes };
    if (stage === 'control') {
      return { specs: planControl(nGenes, poolOf(parameters, groupNonzeros, design), cluster), groups };
    }
    if (stage === 'dispersion' && parameters.dispersionScope === 'control') {
      return { specs: [{ kind: 'dispersion', groupBegin: 0, groupEnd: 1 }], groups };
    }
    if (stage === 'dispersion' || stage === 'fit') {
      const fitDesign = fitDesignOf(parameters, design.batch?.levels.length ?? 1);
      const reads = sharedReadsOf(parameters, itemsOf(job, 'scan').length, groupNonzeros[0]);
      return { specs: planGroups(stage, groupNonzeros, nGenes, cluster, fitDesign, reads), groups };
    }
    throw new InvariantBrokenError(`stage "${stage}" is not cut into tasks`);
  }
}

/** Removes what nobody needs any more of a job that has ended, and lets others have its folder. */
async function leave({ parameters, scratchUri, lock, made }: JobEntry, end: JobEnd): Promise<void> {
  try {
    // Whoever has taken over the folder goes on from what is on scratch.
    await lock.confirm();
    if (end.state === 'succeeded') await removeScratch(scratchRoot(parameters));
    // Bad input stays bad: nothing can go on from it. After anything else --resume can, so the scratch stays.
    else if (end.state === 'failed' && ERROR_POLICIES[end.failure].exitCode === 2) await removeScratch(scratchUri);
    else return;
  } finally {
    await lock.release();
  }
  await removeMade(made);
}

/** Removes the folders that were made for a run as far as nothing else is in them. */
async function removeMade(made: readonly (readonly string[])[]): Promise<void> {
  for (const folders of [...made].reverse()) await removeEmptyFolders(folders);
}

/** Writes the plan of a stage with two tasks in the place of one; only then the job goes by it. */
async function replaceByHalves(
  jobId: JobId,
  job: JobEntry,
  stage: string,
  whole: TaskId,
  specs: readonly [TaskSpec, TaskSpec],
): Promise<readonly [PlanItem, PlanItem]> {
  const items = itemsOf(job, stage);
  const place = items.findIndex(({ output }) => idOf(jobId, stage, output) === whole);
  if (place < 0) throw new InvariantBrokenError(`task ${whole} was never planned`);
  const { output, work } = items[place];
  const half = (i: 0 | 1): PlanItem => {
    return { spec: specs[i], output: halfName(output, i), ...(work === undefined ? {} : { work: work / 2 }) };
  };
  const halves = [half(0), half(1)] as const;
  const plan = [...items.slice(0, place), ...halves, ...items.slice(place + 1)];
  await commitTaskPlan(job.store, stage, plan);
  job.plans.set(stage, plan);
  return halves;
}

/** Outputs of each stage that is planned, in task order. */
const outputsOf = (job: JobEntry): Record<string, readonly string[]> =>
  Object.fromEntries([...job.plans].map(([name, items]) => [name, items.map(({ output }) => output)]));

function itemsOf(job: JobEntry, stage: string): readonly PlanItem[] {
  return job.plans.get(stage) ?? [];
}

function scanMatrix({ descriptor }: ResolvedInput): ScanMatrix {
  const { kind, nRows, nColumns } = descriptor;
  return { kind, nRows, storedCount: kind === 'dense' ? nRows * nColumns : descriptor.nonzeroCount };
}
