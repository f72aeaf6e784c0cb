import { InvalidInputError } from '@shardex/shared/errors';
import type { TaskSpec } from '@shardex/shared/artifacts';
import type { DeParameters } from '@shardex/shared/config';
import { taskId, type JobId, type TaskId } from '@shardex/shared/ids';
import type {
  JobEnd,
  JobHistory,
  JobPlanner,
  JobSpec,
  PlannedTask,
  PreparedJob,
  ReductionReport,
  ResultsRequest,
  StagePlan,
} from '../domain/index.js';

export interface Script {
  readonly stages?: readonly StagePlan[];
  /** Tasks of every `workers` stage, default 3. */
  readonly tasksPerStage?: number;
  readonly memoryBytes?: number;
  readonly planStage?: (jobId: JobId, stage: string, usual: readonly PlannedTask[]) => Promise<readonly PlannedTask[]>;
  readonly reduce?: (
    stage: string,
    signal: AbortSignal,
    report: (fraction: number) => void,
  ) => Promise<ReductionReport>;
  /** Awaited when a job is let go of. */
  readonly conclude?: () => Promise<void>;
  readonly results?: readonly Uint8Array[];
}

export const THREE_STAGES: readonly StagePlan[] = [
  { name: 'scan', executor: 'workers' },
  { name: 'size-factors', executor: 'coordinator', output: 'size-factors.bundle' },
  { name: 'fit', executor: 'workers' },
];

/** Tasks without meaning, by the numbers. */
export function plannedTasks(jobId: string, stage: string, count: number, memoryBytes = 1024): PlannedTask[] {
  return Array.from({ length: count }, (_, ordinal) => ({
    taskId: taskId(`${jobId}/${stage}/${ordinal}`),
    spec: { kind: 'fit', groupBegin: ordinal, groupEnd: ordinal + 1 },
    scratchUri: '/scratch',
    output: `${stage}/${ordinal}.bundle`,
    memoryBytes,
  }));
}

/** The halves of such a task. */
export function splitTasks(
  _jobId: string,
  stage: string,
  whole: string,
  halves: readonly [TaskSpec, TaskSpec],
): readonly [PlannedTask, PlannedTask] {
  const [first, second] = halves.map((spec, half) => ({
    taskId: taskId(`${whole}-${half}`),
    spec,
    scratchUri: '/scratch',
    output: `${stage}/${whole.slice(whole.lastIndexOf('/') + 1)}-${half}.bundle`,
    memoryBytes: 1024,
    splits: whole.slice(whole.lastIndexOf('/')).split('-').length,
  }));
  return [first, second];
}

/** A planner that does as its script says and remembers what it was asked. An input called `bad.h5ad` is refused. */
export class ScriptedPlanner implements JobPlanner {
  readonly asked: string[] = [];
  /** Outputs it was told of. */
  readonly committed: string[] = [];
  lastHistory: JobHistory | null = null;
  readonly #script: Script;

  constructor(script: Script = {}) {
    this.#script = script;
  }

  async prepare(_jobId: JobId, spec: JobSpec): Promise<PreparedJob> {
    this.asked.push(`prepare ${spec.parameters.input}`);
    if (spec.parameters.input === 'bad.h5ad') {
      throw new InvalidInputError('bad.h5ad has no column "guide"', {
        hint: 'choose one of a, b',
        details: { column: 'guide' },
      });
    }
    return { stages: this.#script.stages ?? THREE_STAGES, params: spec.parameters, warnings: ['it is a script'] };
  }

  async planStage(jobId: JobId, stage: string): Promise<readonly PlannedTask[]> {
    this.asked.push(`plan ${stage}`);
    const usual = plannedTasks(jobId, stage, this.#script.tasksPerStage ?? 3, this.#script.memoryBytes);
    return this.#script.planStage?.(jobId, stage, usual) ?? usual;
  }

  async reduce(
    _jobId: JobId,
    stage: string,
    report: (fraction: number) => void,
    signal: AbortSignal,
    history: () => JobHistory,
  ): Promise<ReductionReport> {
    this.asked.push(`reduce ${stage}`);
    this.lastHistory = history();
    return (await this.#script.reduce?.(stage, signal, report)) ?? { warnings: [] };
  }

  async restore(jobId: JobId, { params }: PreparedJob): Promise<void> {
    this.asked.push(`restore ${jobId}`);
    if (params.input === 'changed.h5ad') throw new InvalidInputError('the unfinished run differs in: input file');
  }

  async splitTask(
    jobId: JobId,
    stage: string,
    whole: TaskId,
    halves: readonly [TaskSpec, TaskSpec],
  ): Promise<readonly [PlannedTask, PlannedTask]> {
    this.asked.push(`split ${whole}`);
    return splitTasks(jobId, stage, whole, halves);
  }

  async auditScratch(): Promise<readonly string[]> {
    this.asked.push('audit');
    return [];
  }

  outputCommitted(_jobId: JobId, _stage: string, output: string): void {
    this.committed.push(output);
  }

  async *results(params: DeParameters, request: ResultsRequest): AsyncIterable<Uint8Array> {
    this.asked.push(`results ${request.test} of ${params.output}`);
    for (const bytes of this.#script.results ?? []) yield bytes;
  }

  async conclude(jobId: JobId, end: JobEnd): Promise<void> {
    await this.#script.conclude?.();
    this.asked.push(`conclude ${end.state} ${jobId}`);
  }

  async close(): Promise<void> {
    this.asked.push('close');
  }
}
