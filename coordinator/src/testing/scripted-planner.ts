import { InvalidInputError } from '@shardex/shared/errors';
import { taskId, type JobId } from '@shardex/shared/ids';
import type {
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

/** A planner that does as its script says and remembers what it was asked. An input called `bad.h5ad` is refused. */
export class ScriptedPlanner implements JobPlanner {
  readonly asked: string[] = [];
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

  async *results(_jobId: JobId, request: ResultsRequest): AsyncIterable<Uint8Array> {
    this.asked.push(`results ${request.test}`);
    for (const bytes of this.#script.results ?? []) yield bytes;
  }

  async abandon(jobId: JobId): Promise<void> {
    this.asked.push(`abandon ${jobId}`);
  }
}
