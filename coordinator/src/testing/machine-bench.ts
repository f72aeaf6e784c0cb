import { DEFAULT_DE_PARAMETERS } from '@shardex/shared/config';
import { InvariantBrokenError, type ErrorTag } from '@shardex/shared/errors';
import { jobId, taskId, workerId, type JobId } from '@shardex/shared/ids';
import {
  checkInvariants,
  createMachine,
  step,
  type Effect,
  type Grant,
  type LogEntry,
  type MachineEvent,
  type MachineOptions,
  type MachineState,
  type PlannedTask,
  type StagePlan,
} from '../domain/index.js';
import { plannedTasks } from './scripted-planner.js';

type Happening = MachineEvent extends infer E ? (E extends MachineEvent ? Omit<E, 'atMs'> : never) : never;

/** The machine on a bench: events in, effects collected, invariants checked after every event, time turned by hand. */
export class MachineBench {
  state: MachineState;
  nowMs = 0;
  /** Effects of the latest event. */
  latest: readonly Effect[] = [];
  readonly entries: LogEntry[] = [];
  readonly grants: Grant[] = [];
  /** Pulls that were answered with nothing. */
  readonly refused: number[] = [];
  /** Jobs whose planner was told to let go. */
  readonly released: JobId[] = [];
  #lastPull = 0;

  constructor(options: Partial<MachineOptions> = {}) {
    this.state = createMachine({ retryDelayMs: 0, leaseMs: 1_000, workerTimeoutMs: 1_000, ...options });
  }

  happen(event: Happening): readonly Effect[] {
    const { state, effects } = step(this.state, { ...event, atMs: this.nowMs });
    this.state = state;
    this.latest = effects;
    for (const effect of effects) {
      if (effect.kind === 'log') this.entries.push(effect.entry);
      else if (effect.kind === 'grant') this.grants.push(effect.grant);
      else if (effect.kind === 'pullRefused') this.refused.push(effect.pullId);
      else if (effect.kind === 'releaseJob') this.released.push(effect.jobId);
    }
    checkInvariants(state);
    return effects;
  }

  submit(id: string, stages: readonly StagePlan[]): JobId {
    const params = { ...DEFAULT_DE_PARAMETERS, input: 'in.h5ad', output: 'out' };
    const spec = { parameters: params, existingOutput: 'refuse' } as const;
    this.happen({ kind: 'jobSubmitted', jobId: jobId(id), spec, prepared: { stages, params, warnings: [] } });
    return jobId(id);
  }

  /** A job of one stage whose tasks are planned at once. */
  submitTasks(id: string, count: number, memoryBytes = 1): JobId {
    const job = this.submit(id, [{ name: 'fit', executor: 'workers' }]);
    this.plan(job, 'fit', plannedTasks(id, 'fit', count, memoryBytes));
    return job;
  }

  plan(job: JobId, stage: string, tasks: readonly PlannedTask[]): void {
    this.happen({ kind: 'stagePlanned', jobId: job, stage, tasks });
  }

  register(id: string, memoryBytes = 100): void {
    const capabilities = { version: '0', host: `host-of-${id}`, pid: 1, threads: 1, memoryBytes };
    this.happen({ kind: 'workerRegistered', workerId: workerId(id), capabilities });
  }

  /** @returns what this pull was granted at once, if anything */
  pull(worker: string): Grant | null {
    const pullId = (this.#lastPull += 1);
    for (const effect of this.happen({ kind: 'pullRequested', workerId: workerId(worker), pullId })) {
      if (effect.kind === 'grant' && effect.pullId === pullId) return effect.grant;
    }
    return null;
  }

  complete(grant: Grant): boolean {
    const { workerId, taskId, attempt, output } = grant;
    const figures = { bytesRead: 1, bytesWritten: 1, nonzeros: 1, fits: 1, wallMs: 1, peakResidentBytes: 1 };
    this.happen({ kind: 'taskCompleted', workerId, taskId, attempt, report: { output, warnings: [], ...figures } });
    return this.accepted();
  }

  fail(grant: Grant, tag: ErrorTag, details: Record<string, string> = {}): boolean {
    const { workerId, taskId, attempt } = grant;
    const failure = { tag, message: `because of ${tag}`, hint: '', details };
    this.happen({ kind: 'taskFailed', workerId, taskId, attempt, failure });
    return this.accepted();
  }

  heartbeat(worker: string, ...grants: readonly Grant[]): { abandon: readonly string[]; unknownWorker: boolean } {
    const progress = grants.map(({ taskId, attempt }) => ({ taskId, attempt, fraction: 0.5 }));
    this.happen({ kind: 'heartbeat', workerId: workerId(worker), progress, residentBytes: 1 });
    for (const effect of this.latest) if (effect.kind === 'heartbeatAnswered') return effect;
    return { abandon: [], unknownWorker: true };
  }

  /** Lets time pass in steps of a tenth of a lease, with a tick after each. */
  pass(ms: number): void {
    const stepMs = this.state.options.leaseMs / 10;
    for (let left = ms; left > 0; left -= stepMs) {
      this.nowMs += Math.min(stepMs, left);
      this.happen({ kind: 'tick' });
    }
  }

  cancel(job: JobId): void {
    this.happen({ kind: 'cancelRequested', jobId: job, reason: 'enough' });
  }

  jobState(job: JobId): string {
    return this.state.jobs.get(job)?.status.state ?? 'forgotten';
  }

  taskState(job: JobId, ordinal: number, stage = 'fit'): string | undefined {
    return this.state.jobs.get(job)?.tasks.get(taskId(`${job}/${stage}/${ordinal}`))?.state;
  }

  stageState(job: JobId, stage: string): string | undefined {
    return this.state.jobs.get(job)?.stages.find(({ name }) => name === stage)?.status.state;
  }

  asked(kind: 'planStage' | 'runReduction'): string[] {
    return this.latest.flatMap((effect) => (effect.kind === kind ? [effect.stage] : []));
  }

  kinds(): string[] {
    return this.entries.map((entry) => entry.kind);
  }

  private accepted(): boolean {
    return this.latest.some((effect) => effect.kind === 'reportAnswered' && effect.accepted);
  }
}

/** A grant, or the test's end. */
export function must<T>(value: T | null): T {
  if (value === null) throw new InvariantBrokenError('the test expected a grant');
  return value;
}
