import {
  InvalidInputError,
  InvariantBrokenError,
  CancelledError,
  StorageUnavailableError,
  toShardexError,
  type ShardexError,
} from '@shardex/shared/errors';
import { jobId as toJobId, type TaskId, type WorkerId } from '@shardex/shared/ids';
import { NO_TRACING, type Logger, type Tracing } from '@shardex/shared/telemetry';
import {
  createMachine,
  fittedParts,
  hasEnded,
  isStopping,
  recordOf,
  step,
  viewJob,
  viewWorkers,
  type Claim,
  type Effect,
  type Failure,
  type FittedParts,
  type Job,
  type JobPlanner,
  type JobSpec,
  type JobView,
  type LogEntry,
  type MachineEvent,
  type MachineOptions,
  type MachineState,
  type MeasuredReport,
  type ResultsRequest,
  type WorkerCapabilities,
  type WorkerView,
} from '../domain/index.js';
import type { Clock } from './clock.js';
import type { CoordinatorMetrics } from './coordinator-metrics.js';
import { countEntry, setGauges, writeEntry } from './engine-telemetry.js';
import type { IdSource } from './ids.js';
import { attemptsIn, type JobJournal, type JournalLine } from './job-journal.js';
import { JobLog } from './job-log.js';
import { JobTraces, type TracedGrant } from './job-traces.js';
import { JobWork } from './job-work.js';
import { PullDesk } from './pull-desk.js';
import { ChangeBell } from './change-bell.js';
import { StallWatch } from './stall-watch.js';

export interface EngineParts {
  readonly planner: JobPlanner;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly logger: Logger;
  readonly metrics: CoordinatorMetrics;
  /** Default: none. */
  readonly tracing?: Tracing;
  /** Where jobs outlive this process; null: they do not. */
  readonly journal: JobJournal | null;
  readonly options?: Partial<MachineOptions>;
  /** Interval of the machine's ticks; must be well below half a lease. */
  readonly tickMs: number;
  /** Least time between two messages of a watch; 0: every change. */
  readonly watchIntervalMs: number;
}

/** An event as it happened, without its time. */
type Happening = MachineEvent extends infer E ? (E extends MachineEvent ? Omit<E, 'atMs'> : never) : never;

/** A job now, and what happened since the message before. */
export interface JobNews {
  readonly view: JobView;
  readonly entries: readonly LogEntry[];
}

/**
 * Drives the machine: owns its state, feeds it one event at a time, carries out its effects. All timers are here.
 *
 * When the machine finds an invariant broken the engine stops for good: every call from then on fails with that error.
 */
export class JobEngine {
  readonly #parts: EngineParts;
  readonly #state: MachineState;
  readonly #log = new JobLog();
  readonly #traces: JobTraces;
  readonly #bell = new ChangeBell();
  readonly #pulls: PullDesk;
  readonly #work: JobWork;
  readonly #stalls = new StallWatch();
  readonly #stopTicks: () => void;
  readonly #queue: Happening[] = [];
  #applying = false;
  #ended: ShardexError | null = null;
  #tellEnd!: (reason: ShardexError) => void;
  /** Resolves with the error that ended the engine. */
  readonly whenEnded = new Promise<ShardexError>((resolve) => (this.#tellEnd = resolve));

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#state = createMachine(parts.options);
    this.#traces = new JobTraces(parts.tracing ?? NO_TRACING);
    const apply = (event: Happening): void => void this.#apply(event);
    this.#pulls = new PullDesk(parts.clock, apply);
    this.#work = new JobWork(
      parts.planner,
      apply,
      parts.logger,
      (jobId) => this.#known(jobId),
      () => this.#recorded(),
    );
    this.#stopTicks = parts.clock.every(parts.tickMs, () => this.#tick());
    parts.metrics.beforeExpose(() => this.#setGauges());
    if (parts.journal !== null) this.#takeUp(parts.journal);
  }

  get options(): MachineOptions {
    return this.#state.options;
  }

  /** The error that ended the engine; null while it runs. */
  get ended(): ShardexError | null {
    return this.#ended;
  }

  /** @throws what the planner finds wrong with the submission */
  async submit(spec: JobSpec): Promise<JobView> {
    this.#assertRunning();
    await this.#vacated(spec.parameters.output);
    const jobId = this.#parts.ids.jobId(this.#parts.clock.nowMs());
    const prepared = await this.#parts.planner.prepare(jobId, spec).catch((error: unknown) => {
      throw toShardexError(error, 'planning the job');
    });
    this.#apply({ kind: 'jobSubmitted', jobId, spec, prepared });
    await this.#recorded();
    return this.view(jobId);
  }

  /** @throws InvalidInputError when there is no such job */
  view(jobId: string): JobView {
    return viewJob(this.#job(jobId), this.#parts.clock.nowMs());
  }

  /** Newest first. @param limit - 0: all */
  list(limit = 0): JobView[] {
    const jobs = [...this.#state.jobs.values()].reverse();
    return jobs.slice(0, limit === 0 ? undefined : limit).map((job) => viewJob(job, this.#parts.clock.nowMs()));
  }

  /** Jobs of an owner that have not ended; those without one belong to ''. */
  ongoing(owner: string): number {
    let jobs = 0;
    for (const { spec, endedMs } of this.#state.jobs.values()) {
      if (endedMs === null && (spec.owner ?? '') === owner) jobs += 1;
    }
    return jobs;
  }

  workers(): WorkerView[] {
    return viewWorkers(this.#state);
  }

  /** @throws InvalidInputError when there is no such job */
  entries(jobId: string): readonly LogEntry[] {
    return this.#log.since(this.#job(jobId).jobId, 0).entries;
  }

  /** What a running job has left of its comparisons. @throws InvalidInputError when there is no such job */
  fitted(jobId: string): FittedParts | null {
    return fittedParts(this.#job(jobId));
  }

  /** Asks a job to stop; a job that has ended stays as it is. @throws InvalidInputError when there is no such job */
  async cancel(jobId: string, reason: string): Promise<JobView> {
    this.#apply({ kind: 'cancelRequested', jobId: this.#job(jobId).jobId, reason });
    await this.#recorded();
    return this.view(jobId);
  }

  /**
   * The job now and after every change, up to and including its end. Changes that come faster than the reader reads are
   * told together.
   *
   * @throws InvalidInputError when there is no such job; CancelledError when the coordinator stops before the job's end
   */
  async *watch(jobId: string, signal?: AbortSignal): AsyncGenerator<JobNews, void, undefined> {
    const { jobId: id } = this.#job(jobId);
    let next = 0;
    while (signal?.aborted !== true) {
      // Asked for before looking, so that a change in between is not missed.
      const change = this.#bell.next(id, signal);
      const view = this.view(id);
      const news = this.#log.since(id, next);
      next = news.next;
      yield { view, entries: news.entries };
      if (hasEnded(view)) return;
      await change;
      this.#assertRunning();
      if (this.#parts.watchIntervalMs > 0 && !hasEnded(this.view(id))) await this.#pause(this.#parts.watchIntervalMs);
    }
  }

  /** @throws InvalidInputError when there is no such job or it has not succeeded */
  results(jobId: string, request: ResultsRequest): AsyncIterable<Uint8Array> {
    const job = this.#job(jobId);
    if (job.status.state !== 'succeeded') {
      throw new InvalidInputError(`job ${jobId} has no results: it is ${job.status.state}`, {
        hint: `follow it with "shardex watch ${jobId}"`,
      });
    }
    return this.#parts.planner.results(job.prepared.params, request);
  }

  register(capabilities: WorkerCapabilities): WorkerId {
    const workerId = this.#parts.ids.workerId(capabilities.host);
    this.#apply({ kind: 'workerRegistered', workerId, capabilities });
    return workerId;
  }

  /**
   * One task for a worker, as soon as there is one.
   *
   * @returns null after `waitMs`, or when `signal` fires
   * @throws WorkerLostError when the worker is not registered
   */
  pull(workerId: WorkerId, waitMs: number, signal: AbortSignal): Promise<TracedGrant | null> {
    this.#assertRunning();
    return this.#pulls.wait(workerId, waitMs, signal);
  }

  heartbeat(
    workerId: WorkerId,
    progress: readonly { readonly taskId: TaskId; readonly attempt: number; readonly fraction: number }[],
    residentBytes: number,
  ): { readonly abandon: readonly TaskId[]; readonly unknownWorker: boolean } {
    return answerOf(this.#apply({ kind: 'heartbeat', workerId, progress, residentBytes }), 'heartbeatAnswered');
  }

  /** @returns whether the report was accepted; a stale attempt's is not */
  complete(claim: Claim, report: MeasuredReport): boolean {
    return answerOf(this.#apply({ kind: 'taskCompleted', ...claim, report }), 'reportAnswered').accepted;
  }

  /** @returns whether the report was accepted; a stale attempt's is not */
  fail(claim: Claim, failure: Failure): boolean {
    return answerOf(this.#apply({ kind: 'taskFailed', ...claim, failure }), 'reportAnswered').accepted;
  }

  drain(workerId: WorkerId, reason: string): void {
    this.#apply({ kind: 'workerDrained', workerId, reason });
  }

  /**
   * Lets go of everything; work of the planner that is under way is asked to end and waited for. With a journal, jobs that
   * have not ended go on when the next engine opens it.
   */
  async stop(): Promise<void> {
    const { journal, planner } = this.#parts;
    this.#end(
      journal === null
        ? new CancelledError('the coordinator is stopping', {
            hint: 'without --state its jobs end with it: submit again with --resume',
          })
        : new StorageUnavailableError('the coordinator is stopping', {
            hint: 'its jobs go on when it is started again',
          }),
    );
    await this.#work.settled();
    await planner.close();
    await journal?.close();
  }

  /** Jobs of earlier lives: ended ones are listed, the others go on. */
  #takeUp(journal: JobJournal): void {
    journal.onBroken = (error) => {
      this.#parts.logger.error('the journal is broken and the coordinator stops', { error });
      this.#end(error);
    };
    journal.snapshot = () => this.#lines();
    for (const { record, entries } of journal.jobs) {
      for (const entry of entries) this.#log.add(entry);
      if (record.end === null) this.#work.restored(record.jobId);
      this.#apply({ kind: 'jobRestored', record, attempts: attemptsIn(entries) });
    }
  }

  /** Everything that a restart has to know. */
  *#lines(): Generator<JournalLine> {
    for (const job of this.#state.jobs.values()) {
      yield { kind: 'job', record: recordOf(job) };
      for (const entry of this.#log.since(job.jobId, 0).entries) yield { kind: 'entry', entry };
    }
  }

  /** Resolves when what was decided so far would outlive this process. @throws what broke the journal */
  async #recorded(): Promise<void> {
    await this.#parts.journal?.flushed();
  }

  /**
   * Resolves when no job that fails, is cancelled or has ended is still at work in this output folder: whoever was just told
   * of it may submit the next one, while workers have yet to hear that they are to put down their tasks.
   */
  async #vacated(output: string): Promise<void> {
    for (const job of this.#state.jobs.values()) {
      if (job.spec.parameters.output !== output) continue;
      while (isStopping(job)) {
        await this.#bell.next(job.jobId);
        this.#assertRunning();
      }
    }
    await this.#work.vacated(output);
  }

  #job(jobId: string): Job {
    this.#assertRunning();
    return this.#known(jobId);
  }

  #known(jobId: string): Job {
    const job = this.#state.jobs.get(toJobId(jobId));
    if (job === undefined) {
      throw new InvalidInputError(`there is no job ${jobId}`, {
        hint: 'list the jobs with "shardex jobs"; those of a coordinator that ended without --state are gone: submit again with --resume',
      });
    }
    return job;
  }

  #assertRunning(): void {
    if (this.#ended !== null) throw this.#ended;
  }

  /** @returns the event's effects; none when it had to wait because it came out of another event's effects */
  #apply(event: Happening): readonly Effect[] {
    this.#queue.push(event);
    if (this.#applying) return [];
    this.#assertRunning();
    this.#applying = true;
    let first: readonly Effect[] | null = null;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        const effects = this.#step(next);
        first ??= effects;
        for (const effect of effects) this.#perform(effect);
      }
    } finally {
      this.#applying = false;
      this.#queue.length = 0;
    }
    return first ?? [];
  }

  #step(event: Happening): readonly Effect[] {
    try {
      return step(this.#state, { ...event, atMs: this.#parts.clock.nowMs() }).effects;
    } catch (error) {
      const broken = toShardexError(error, `applying ${event.kind}`);
      this.#parts.logger.error('the state machine is broken and stops', { error: broken, event: event.kind });
      this.#end(broken);
      throw broken;
    }
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'planStage':
        return this.#work.plan(effect.jobId, effect.stage);
      case 'runReduction':
        return this.#work.reduce(effect.jobId, effect.stage);
      case 'splitTask':
        return this.#work.split(effect);
      case 'auditScratch':
        return this.#work.audit(effect.jobId, effect.sinceMs);
      case 'recordJob':
        return this.#parts.journal?.append({ kind: 'job', record: recordOf(this.#known(effect.jobId)) });
      case 'abortWork':
        return this.#work.abort(effect.jobId);
      case 'releaseJob':
        return this.#work.release(effect.jobId);
      case 'grant':
        return this.#pulls.grant(effect.pullId, this.#traces.onto(effect.grant));
      case 'pullRefused':
        return this.#pulls.refuse(effect.pullId);
      case 'jobChanged':
        return this.#bell.ring(effect.jobId);
      case 'log':
        this.#log.add(effect.entry);
        if (effect.entry.jobId !== undefined) this.#parts.journal?.append({ kind: 'entry', entry: effect.entry });
        writeEntry(this.#parts.logger, effect.entry);
        this.#work.follow(effect.entry);
        this.#traces.add(effect.entry);
        return countEntry(this.#parts.metrics, effect.entry, this.#jobOf(effect.entry));
      case 'reportAnswered':
      case 'heartbeatAnswered':
        return;
    }
  }

  #tick(): void {
    if (this.#ended !== null) return;
    this.#apply({ kind: 'tick' });
    this.#log.keepOnly((jobId) => this.#state.jobs.has(jobId));
    this.#stalls.look(this.#state.jobs.values(), this.#parts.clock.nowMs());
  }

  #setGauges(): void {
    const nowMs = this.#parts.clock.nowMs();
    setGauges(this.#parts.metrics, this.#state, nowMs);
    this.#parts.metrics.set('shardex_job_stalled_seconds', {}, this.#stalls.longestStallMs(nowMs) / 1000);
  }

  #jobOf({ jobId }: LogEntry): Job | undefined {
    return jobId === undefined ? undefined : this.#state.jobs.get(jobId);
  }

  #end(reason: ShardexError): void {
    if (this.#ended !== null) return;
    this.#ended = reason;
    this.#tellEnd(reason);
    this.#stopTicks();
    this.#work.abortAll();
    this.#traces.close(this.#parts.clock.nowMs());
    this.#pulls.close();
    this.#bell.ringAll();
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.#parts.clock.after(delayMs, resolve));
  }
}

function answerOf<K extends Effect['kind']>(effects: readonly Effect[], kind: K): Extract<Effect, { kind: K }> {
  const answer = effects.find((effect): effect is Extract<Effect, { kind: K }> => effect.kind === kind);
  if (answer === undefined) throw new InvariantBrokenError(`the machine gave no ${kind}`);
  return answer;
}
