import type { DeParameters, TestName } from '@shardex/shared/config';
import type { ErrorTag } from '@shardex/shared/errors';
import type { JobId, TaskId } from '@shardex/shared/ids';
import type { TaskReport, TaskSpec } from '@shardex/shared/artifacts';

/** What to do when the output directory already holds results: refuse (default), overwrite, or keep what is finished. */
export type ExistingOutput = 'refuse' | 'force' | 'resume';

/** A submission as the planner sees it. */
export interface JobSpec {
  readonly parameters: DeParameters;
  readonly existingOutput: ExistingOutput;
  /** Who submitted it, where callers are known. */
  readonly owner?: string;
}

/** One stage of a job, in the order in which the stages run. */
export interface StagePlan {
  readonly name: string;
  /** `workers`: the stage is cut into tasks by `planStage`. `coordinator`: it is one call of `reduce`. */
  readonly executor: 'workers' | 'coordinator';
  /** Expected cost relative to the job's other stages, > 0; only the time estimate depends on it. Default 1. */
  readonly weight?: number;
  /** Name of the scratch object a `coordinator` stage commits: a `ResultLost` naming it makes the stage run again. */
  readonly output?: string;
}

export interface PreparedJob {
  /** At least one stage; names are distinct. */
  readonly stages: readonly StagePlan[];
  /** The parameters with everything that was detected filled in. */
  readonly params: DeParameters;
  readonly warnings: readonly string[];
}

/** What the coordinator keeps of a finished task: the task's own report and what its worker measured around it. */
export interface MeasuredReport extends TaskReport {
  readonly wallMs: number;
  readonly peakResidentBytes: number;
}

export interface PlannedTask {
  /** Unique among all jobs of this coordinator: begin it with the job's id. */
  readonly taskId: TaskId;
  readonly spec: TaskSpec;
  readonly scratchUri: string;
  /** Name within scratch under which the output has to be committed; unique within the job. */
  readonly output: string;
  /** Upper bound of the memory the task may plan with, in bytes. */
  readonly memoryBytes: number;
  /** Expected cost in any unit that all tasks of the stage share, > 0; default 1. Only who is late depends on it. */
  readonly work?: number;
  /** How often what was planned first has been halved; absent: never. */
  readonly splits?: number;
  /** Set when the output is there already (`--resume`): the task is not run. */
  readonly alreadyDone?: TaskReport;
}

/** What a reduction reports; it is added to the job's warnings and figures. */
export interface ReductionReport {
  readonly warnings: readonly string[];
  readonly bytesRead?: number;
  readonly bytesWritten?: number;
}

/** One stage as `run.json` tells it. */
export interface StageHistory {
  readonly name: string;
  readonly executor: 'workers' | 'coordinator';
  readonly startedUnixMs: number | null;
  readonly endedUnixMs: number | null;
  readonly tasks: number;
  /** Tasks found finished by `--resume`. */
  readonly tasksResumed: number;
  readonly retries: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly nonzeros: number;
  readonly fits: number;
}

export interface WorkerHistory {
  readonly workerId: string;
  readonly host: string;
  readonly tasks: number;
  readonly failures: number;
  readonly peakResidentBytes: number;
}

/** How the job went until now; the merge stage writes it to `run.json`. */
export interface JobHistory {
  readonly submittedUnixMs: number;
  readonly startedUnixMs: number | null;
  readonly stages: readonly StageHistory[];
  readonly workers: readonly WorkerHistory[];
  readonly warnings: readonly string[];
}

/** How a job ended; `failure` is the tag of the error it failed with. */
export type JobEnd =
  | { readonly state: 'succeeded' }
  | { readonly state: 'cancelled' }
  | { readonly state: 'failed'; readonly failure: ErrorTag };

export interface ResultsRequest {
  readonly test: TestName;
  /** null: every perturbation. */
  readonly perturbation: string | null;
  /** null: every row; otherwise the rows of smallest p-value. */
  readonly top: number | null;
}

/**
 * What the job machine asks of the science: planning, reductions and results. It knows nothing of workers or leases, and
 * its caller knows nothing of files.
 *
 * Every method may reject; a `ShardexError` travels to the user as it is, anything else becomes `InvariantBroken`.
 */
export interface JobPlanner {
  /** Reads the input's description, resolves what is to be detected, checks everything; `InvalidInput` when it cannot run. */
  prepare(jobId: JobId, spec: JobSpec): Promise<PreparedJob>;
  /**
   * Takes a job up again that another coordinator prepared. Its input and version have to be what they were.
   *
   * @throws InvalidInputError naming what differs
   */
  restore(jobId: JobId, prepared: PreparedJob): Promise<void>;
  /** Cuts one `workers` stage into tasks; all earlier stages are done. An empty list means that there is nothing to do. */
  planStage(jobId: JobId, stage: string, signal: AbortSignal): Promise<readonly PlannedTask[]>;
  /** Plans two tasks in the place of one that was too large; kept for `--resume` as the first plan is. */
  splitTask(
    jobId: JobId,
    stage: string,
    taskId: TaskId,
    halves: readonly [TaskSpec, TaskSpec],
  ): Promise<readonly [PlannedTask, PlannedTask]>;
  /**
   * Makes whatever belongs to no stage again, if it is gone.
   *
   * @returns names of the outputs of finished tasks and reductions that are gone or not whole
   */
  auditScratch(jobId: JobId): Promise<readonly string[]>;
  /**
   * Runs one `coordinator` stage, off the main thread if it is long.
   *
   * @param report - call with the fraction done, 0 to 1, as often as convenient
   * @param signal - aborted when the job is cancelled or has failed; settle soon afterwards
   * @param history - how the job went until now
   * @throws ResultLostError with `details.output` when an earlier output is gone: its task is run again, then this stage
   */
  reduce(
    jobId: JobId,
    stage: string,
    report: (fraction: number) => void,
    signal: AbortSignal,
    history: () => JobHistory,
  ): Promise<ReductionReport>;
  /** A task has left its output; the planner may begin with what will be made of it. Answers at once and never throws. */
  outputCommitted(jobId: JobId, stage: string, output: string): void;
  /** CSV text of a finished job's results, header first, in chunks of any size. */
  results(params: DeParameters, request: ResultsRequest): AsyncIterable<Uint8Array>;
  /** The job has ended, that is on record, and nobody works on it any more: free what it holds. */
  conclude(jobId: JobId, end: JobEnd): Promise<void>;
  /** The coordinator stops: let go of every job as it is. */
  close(): Promise<void>;
}
