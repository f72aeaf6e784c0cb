import { toShardexError } from '@shardex/shared/errors';
import type { JobId } from '@shardex/shared/ids';
import type { Logger } from '@shardex/shared/telemetry';
import { historyOf, type Failure, type Job, type JobPlanner, type MachineEvent } from '../domain/index.js';

type WorkKind = 'stagePlanned' | 'stagePlanFailed' | 'reductionProgressed' | 'reductionDone' | 'reductionFailed';
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
  readonly #controllers = new Map<JobId, AbortController>();
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  constructor(planner: JobPlanner, apply: (event: WorkEvent) => void, logger: Logger, job: (jobId: JobId) => Job) {
    this.#planner = planner;
    this.#apply = apply;
    this.#logger = logger;
    this.#job = job;
  }

  plan(jobId: JobId, stage: string): void {
    this.#start(jobId, stage, `planning stage ${stage}`, 'stagePlanFailed', async (signal) => {
      const tasks = await this.#planner.planStage(jobId, stage, signal);
      return { kind: 'stagePlanned', jobId, stage, tasks };
    });
  }

  reduce(jobId: JobId, stage: string): void {
    this.#start(jobId, stage, `running stage ${stage}`, 'reductionFailed', async (signal) => {
      const progress = (fraction: number): void => {
        if (!this.#closed && !signal.aborted) this.#apply({ kind: 'reductionProgressed', jobId, stage, fraction });
      };
      const history = () => historyOf(this.#job(jobId));
      const report = await this.#planner.reduce(jobId, stage, progress, signal, history);
      return { kind: 'reductionDone', jobId, stage, report };
    });
  }

  /** Asks the job's planning and reductions to end. */
  abort(jobId: JobId): void {
    this.#controllers.get(jobId)?.abort();
  }

  abortAll(): void {
    this.#closed = true;
    for (const controller of this.#controllers.values()) controller.abort();
  }

  /** Tells the planner that nobody works on the job any more. */
  release(jobId: JobId): void {
    this.#controllers.delete(jobId);
    const { status } = this.#job(jobId);
    this.#track(
      this.#planner.abandon(jobId, status.state === 'failed' ? status.failure.tag : null).catch((error: unknown) => {
        this.#logger.error('the planner could not let go of a job', { job: jobId, error });
      }),
    );
  }

  /** Resolves when everything that is under way has ended. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #start(
    jobId: JobId,
    stage: string,
    doing: string,
    failed: 'stagePlanFailed' | 'reductionFailed',
    work: (signal: AbortSignal) => Promise<WorkEvent>,
  ): void {
    const controller = this.#controllers.get(jobId) ?? new AbortController();
    this.#controllers.set(jobId, controller);
    const answer = Promise.resolve()
      .then(() => work(controller.signal))
      .catch((error: unknown): WorkEvent => ({ kind: failed, jobId, stage, failure: toFailure(error, doing) }));
    // An answer that breaks the machine has been logged there and has ended it: nothing is left to do here.
    this.#track(answer.then((event) => (this.#closed ? undefined : this.#apply(event))).catch(() => undefined));
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }
}
