import { toShardexError } from '@shardex/shared/errors';
import type { JobId } from '@shardex/shared/ids';
import type { Logger } from '@shardex/shared/telemetry';
import {
  historyOf,
  type Effect,
  type Failure,
  type Job,
  type JobEnd,
  type JobPlanner,
  type LogEntry,
  type MachineEvent,
} from '../domain/index.js';

type WorkKind =
  | 'stagePlanned'
  | 'stagePlanFailed'
  | 'taskSplit'
  | 'taskSplitFailed'
  | 'scratchAudited'
  | 'scratchAuditFailed'
  | 'reductionProgressed'
  | 'reductionDone'
  | 'reductionFailed';
type WorkEvent = MachineEvent extends infer E ? (E extends { kind: WorkKind } ? Omit<E, 'atMs'> : never) : never;

/** An error by value, as the machine keeps it. */
export function toFailure(error: unknown, doing: string): Failure {
  const { tag, message, hint, details } = toShardexError(error, doing);
  return { tag, message, hint, details };
}

/** What the coordinator does itself for its jobs: planning stages and running reductions, through the planner. */
export class JobWork {
  readonly #planner: JobPlanner;
  readonly #apply: (event: WorkEvent) => void;
  readonly #logger: Logger;
  readonly #job: (jobId: JobId) => Job;
  readonly #recorded: () => Promise<void>;
  /** Jobs of an earlier life that the planner has yet to take up, and how that goes. */
  readonly #unrestored = new Map<JobId, Promise<void> | null>();
  readonly #controllers = new Map<JobId, AbortController>();
  readonly #running = new Set<Promise<void>>();
  /** By output folder: how the planner lets go of the job that had it. */
  readonly #leaving = new Map<string, Promise<void>>();
  #closed = false;

  /** @param recorded - resolves when what was decided so far is on record */
  constructor(
    planner: JobPlanner,
    apply: (event: WorkEvent) => void,
    logger: Logger,
    job: (jobId: JobId) => Job,
    recorded: () => Promise<void>,
  ) {
    this.#planner = planner;
    this.#apply = apply;
    this.#logger = logger;
    this.#job = job;
    this.#recorded = recorded;
  }

  /** Notes a job of an earlier life: the planner takes it up before its first work. */
  restored(jobId: JobId): void {
    this.#unrestored.set(jobId, null);
  }

  plan(jobId: JobId, stage: string): void {
    const work = async (signal: AbortSignal): Promise<WorkEvent> => {
      const tasks = await this.#planner.planStage(jobId, stage, signal);
      return { kind: 'stagePlanned', jobId, stage, tasks };
    };
    this.#start(jobId, work, (error) => {
      return { kind: 'stagePlanFailed', jobId, stage, failure: toFailure(error, `planning stage ${stage}`) };
    });
  }

  reduce(jobId: JobId, stage: string): void {
    const work = async (signal: AbortSignal): Promise<WorkEvent> => {
      const progress = (fraction: number): void => {
        if (!this.#closed && !signal.aborted) this.#apply({ kind: 'reductionProgressed', jobId, stage, fraction });
      };
      const history = () => historyOf(this.#job(jobId));
      const report = await this.#planner.reduce(jobId, stage, progress, signal, history);
      return { kind: 'reductionDone', jobId, stage, report };
    };
    this.#start(jobId, work, (error) => {
      return { kind: 'reductionFailed', jobId, stage, failure: toFailure(error, `running stage ${stage}`) };
    });
  }

  split({ jobId, stage, taskId, halves: specs }: Extract<Effect, { kind: 'splitTask' }>): void {
    const work = async (): Promise<WorkEvent> => {
      const halves = await this.#planner.splitTask(jobId, stage, taskId, specs);
      return { kind: 'taskSplit', jobId, stage, taskId, halves };
    };
    this.#start(jobId, work, (error) => {
      return { kind: 'taskSplitFailed', jobId, stage, taskId, failure: toFailure(error, `halving task ${taskId}`) };
    });
  }

  audit(jobId: JobId, sinceMs: number): void {
    const work = async (): Promise<WorkEvent> => {
      return { kind: 'scratchAudited', jobId, sinceMs, missing: await this.#planner.auditScratch(jobId) };
    };
    this.#start(jobId, work, (error) => {
      return { kind: 'scratchAuditFailed', jobId, failure: toFailure(error, 'looking at the scratch') };
    });
  }

  /** Follows the story of the jobs: the planner is told what is done. */
  follow({ kind, jobId, stage, report }: LogEntry): void {
    if (kind !== 'task-done' || jobId === undefined || stage === undefined || report === undefined) return;
    this.#planner.outputCommitted(jobId, stage, report.output);
  }

  /** Asks the job's planning and reductions to end. */
  abort(jobId: JobId): void {
    this.#controllers.get(jobId)?.abort();
  }

  abortAll(): void {
    this.#closed = true;
    for (const controller of this.#controllers.values()) controller.abort();
  }

  /** Tells the planner that the job has ended and nobody works on it any more, once that is on record. */
  release(jobId: JobId): void {
    this.#controllers.delete(jobId);
    const end = endOf(this.#job(jobId));
    const concluded = this.#recorded()
      .then(() => this.#planner.conclude(jobId, end))
      .catch((error: unknown) => {
        this.#logger.error('the planner could not let go of a job', { job: jobId, error });
      });
    const { output } = this.#job(jobId).spec.parameters;
    const left = concluded.then(() => {
      if (this.#leaving.get(output) === left) this.#leaving.delete(output);
    });
    this.#leaving.set(output, left);
    this.#track(left);
  }

  /** Resolves when no job that has ended is still being let go of in this output folder. */
  async vacated(output: string): Promise<void> {
    await this.#leaving.get(output);
  }

  /** Resolves when everything that is under way has ended. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #start(jobId: JobId, work: (signal: AbortSignal) => Promise<WorkEvent>, failed: (error: unknown) => WorkEvent): void {
    const controller = this.#controllers.get(jobId) ?? new AbortController();
    this.#controllers.set(jobId, controller);
    const answer = this.#takenUp(jobId)
      .then(() => work(controller.signal))
      .catch(failed);
    // An answer that breaks the machine has been logged there and has ended it: nothing is left to do here.
    this.#track(answer.then((event) => (this.#closed ? undefined : this.#apply(event))).catch(() => undefined));
  }

  /** The planner has the job: it prepared it, or has taken it up again. */
  async #takenUp(jobId: JobId): Promise<void> {
    const under = this.#unrestored.get(jobId);
    if (under === undefined) return;
    const taking = under ?? this.#planner.restore(jobId, this.#job(jobId).prepared);
    this.#unrestored.set(jobId, taking);
    try {
      await taking;
      this.#unrestored.delete(jobId);
    } catch (error) {
      this.#unrestored.set(jobId, null);
      throw error;
    }
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }
}

function endOf({ status }: Job): JobEnd {
  if (status.state === 'failed') return { state: 'failed', failure: status.failure.tag };
  return { state: status.state === 'succeeded' ? 'succeeded' : 'cancelled' };
}
