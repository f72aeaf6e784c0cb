import { toShardexError } from '@shardex/shared/errors';
import type { WorkerId } from '@shardex/shared/ids';
import type { Logger } from '@shardex/shared/telemetry';
import {
  initialState,
  leaseKey,
  step,
  type HeldTask,
  type LeaseKey,
  type Pause,
  type TaskOutcome,
  type WorkerEffect,
  type WorkerEvent,
  type WorkerExit,
  type WorkerPhase,
  type WorkerState,
} from '../domain/index.js';
import { ContactWatch } from './contact-watch.js';
import { backoffMs, type BackoffOptions } from './backoff.js';
import {
  isFinalRefusal,
  isRefusal,
  type CoordinatorPort,
  type TaskProgress,
  type WorkerCapabilities,
} from './coordinator-port.js';
import type { TaskRunner } from './task-runner.js';

export interface WorkerAgentOptions {
  readonly coordinator: CoordinatorPort;
  readonly runner: TaskRunner;
  readonly capabilities: WorkerCapabilities;
  /** How long a pull waits at the coordinator. */
  readonly pullWaitMs: number;
  /** Give up when the coordinator has not answered for so long; null: never. */
  readonly coordinatorTimeoutMs: number | null;
  readonly backoff: BackoffOptions;
  readonly residentBytes: () => number;
  readonly log: Logger;
  /** Told of every new phase. */
  readonly onPhase?: (phase: WorkerPhase) => void;
}

/** Carries out what the lifecycle decides: calls, timers and threads outside, one event after the other inside. */
export class WorkerAgent {
  /** Resolves when everything the worker held is closed. */
  readonly finished: Promise<WorkerExit>;
  readonly #options: WorkerAgentOptions;
  readonly #log: Logger;
  readonly #contact: ContactWatch;
  #state: WorkerState;
  #finish!: (exit: WorkerExit) => void;
  readonly #queue: WorkerEvent[] = [];
  #isStepping = false;

  #heartbeatIntervalMs = 0;
  /** The next `register` or `heartbeat`: never more than one of them is planned. */
  #callTimer: NodeJS.Timeout | null = null;
  #graceTimer: NodeJS.Timeout | null = null;
  #heartbeatAs: WorkerId | null = null;
  #pulls = new AbortController();
  readonly #fractions = new Map<LeaseKey, number>();

  constructor(options: WorkerAgentOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#contact = new ContactWatch({
      address: options.coordinator.address,
      timeoutMs: options.coordinatorTimeoutMs,
      log: options.log,
      onGivenUp: (error) => this.stop({ kind: 'failed', error }),
    });
    this.#state = initialState(options.capabilities.threads);
    this.finished = new Promise((resolve) => (this.#finish = resolve));
  }

  get phase(): WorkerPhase {
    return this.#state.phase;
  }

  /** Leases held now. */
  get leases(): number {
    return this.#state.phase === 'STOPPED' ? 0 : this.#state.leases.size;
  }

  start(): void {
    this.#contact.start();
    this.#dispatch({ kind: 'start' });
  }

  /** Takes no further task, finishes what runs within `graceMs`, gives back the rest and leaves. */
  drain(reason: string, graceMs: number): void {
    this.#dispatch({ kind: 'drain_requested', reason });
    if (this.#state.phase !== 'DRAINING') return;
    this.#graceTimer ??= setTimeout(() => this.#dispatch({ kind: 'grace_elapsed' }), graceMs);
  }

  /** Ends at once. */
  stop(exit: WorkerExit): void {
    this.#dispatch({ kind: 'stop_requested', exit });
  }

  /** Events that effects raise on the spot wait for their turn. */
  #dispatch(event: WorkerEvent): void {
    this.#queue.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        const before = this.#state.phase;
        const { state, effects } = step(this.#state, next);
        this.#state = state;
        if (state.phase !== before) {
          this.#log.debug('phase', { from: before, to: state.phase, event: next.kind });
          this.#options.onPhase?.(state.phase);
        }
        for (const effect of effects) this.#perform(effect);
      }
    } finally {
      this.#isStepping = false;
    }
  }

  #perform(effect: WorkerEffect): void {
    switch (effect.kind) {
      case 'register':
        this.#plan(effect.pause, () => void this.#register());
        break;
      case 'heartbeat':
        if (this.#heartbeatAs !== effect.workerId)
          this.#plan(effect.pause, () => void this.#heartbeat(effect.workerId));
        break;
      case 'pull':
        void this.#pull(effect.workerId, effect.pull);
        break;
      case 'cancel_pulls':
        this.#pulls.abort();
        this.#pulls = new AbortController();
        break;
      case 'run':
        void this.#run(effect.task);
        break;
      case 'abandon':
        this.#log.info('abandoning a task', { lease: effect.key });
        this.#options.runner.abandon(effect.key);
        break;
      case 'report':
        void this.#report(effect.workerId, effect.task, effect.outcome);
        break;
      case 'leave':
        void this.#leave(effect.workerId, effect.reason);
        break;
      case 'stop':
        void this.#close(effect.exit);
        break;
      case 'ignore':
        if (effect.lost) this.#log.error(effect.why);
        else this.#log.debug(effect.why);
    }
  }

  #plan(pause: Pause, call: () => void): void {
    if (this.#callTimer !== null) clearTimeout(this.#callTimer);
    const delayMs = pause === 'interval' ? this.#heartbeatIntervalMs : backoffMs(pause.failures, this.#options.backoff);
    this.#callTimer = setTimeout(() => {
      this.#callTimer = null;
      call();
    }, delayMs);
  }

  async #register(): Promise<void> {
    const { coordinator, capabilities } = this.#options;
    try {
      const { workerId, heartbeatIntervalMs, leaseMs } = await coordinator.register(capabilities);
      this.#contact.heard();
      this.#heartbeatIntervalMs = heartbeatIntervalMs;
      this.#log.info('registered', {
        worker: workerId,
        heartbeatIntervalMs,
        leaseMs,
        coordinator: coordinator.address,
      });
      this.#dispatch({ kind: 'registered', workerId });
    } catch (error) {
      const known = this.#contact.failed(error, 'registering');
      this.#dispatch({ kind: 'register_failed', error: known, final: isFinalRefusal(known) });
    }
  }

  async #heartbeat(workerId: WorkerId): Promise<void> {
    const { coordinator, residentBytes } = this.#options;
    const progress = this.#progress();
    this.#heartbeatAs = workerId;
    try {
      const answer = await coordinator.heartbeat(workerId, progress, residentBytes());
      this.#heartbeatAs = null;
      this.#contact.heard();
      if (answer.unknownWorker)
        this.#log.warn('the coordinator does not know this worker any more', { worker: workerId });
      this.#dispatch({ kind: 'heartbeat_answered', workerId, named: progress.map(leaseKey), ...answer });
    } catch (error) {
      this.#heartbeatAs = null;
      this.#contact.failed(error, 'heartbeat');
      this.#dispatch({ kind: 'heartbeat_failed', workerId });
    }
  }

  async #pull(workerId: WorkerId, pull: number): Promise<void> {
    const { signal } = this.#pulls;
    try {
      const task = await this.#options.coordinator.pull(workerId, this.#options.pullWaitMs, signal);
      this.#contact.heard();
      this.#dispatch({ kind: 'pull_answered', pull, task });
    } catch (error) {
      if (!signal.aborted) this.#contact.failed(error, 'asking for a task');
      this.#dispatch({ kind: 'pull_failed', pull });
    }
  }

  async #run(task: HeldTask): Promise<void> {
    const key = leaseKey(task);
    const fields = { job: task.jobId, stage: task.stage, task: task.taskId, attempt: task.attempt };
    this.#log.debug('task begins', fields);
    this.#fractions.set(key, 0);
    let outcome: TaskOutcome;
    try {
      outcome = await this.#options.runner.run(task, (fraction) => {
        if (this.#fractions.has(key)) this.#fractions.set(key, Math.min(1, Math.max(0, fraction)));
      });
    } catch (error) {
      outcome = { kind: 'failed', error: toShardexError(error, `running task ${task.taskId}`) };
    }
    this.#fractions.delete(key);
    if (outcome.kind === 'completed') {
      this.#log.info('task completed', { ...fields, wallMs: outcome.report.wallMs });
    } else {
      this.#log.warn('task failed', { ...fields, error: outcome.error });
    }
    this.#dispatch({ kind: 'task_ended', key, outcome });
  }

  async #report(workerId: WorkerId, task: HeldTask, outcome: TaskOutcome): Promise<void> {
    const { coordinator } = this.#options;
    const key = leaseKey(task);
    try {
      const isAccepted =
        outcome.kind === 'completed'
          ? await coordinator.complete(workerId, task, outcome.report)
          : await coordinator.fail(workerId, task, outcome.error);
      this.#contact.heard();
      if (!isAccepted) this.#log.info('the attempt was stale; its report is not needed', { lease: key });
      this.#dispatch({ kind: 'report_answered', key });
    } catch (error) {
      const known = this.#contact.failed(error, `reporting ${key}`);
      this.#dispatch({ kind: 'report_failed', key, refusedAs: isRefusal(known) ? workerId : null });
    }
  }

  async #leave(workerId: WorkerId, reason: string): Promise<void> {
    this.#clearTimers();
    try {
      await this.#options.coordinator.leave(workerId, reason);
    } catch (error) {
      // It will notice by the missing heartbeats.
      this.#contact.failed(error, 'leaving');
    }
    this.#dispatch({ kind: 'left' });
  }

  async #close(exit: WorkerExit): Promise<void> {
    this.#clearTimers();
    this.#pulls.abort();
    await this.#options.runner.close();
    this.#options.coordinator.close();
    this.#finish(exit);
  }

  /** Of every attempt that still has a thread or a report: by no longer naming one, the worker says that it let go of it. */
  #progress(): TaskProgress[] {
    if (this.#state.phase === 'STOPPED') return [];
    return [...this.#state.leases].map(
      ([
        key,
        {
          status,
          task: { taskId, attempt },
        },
      ]) => {
        return { taskId, attempt, fraction: status === 'reporting' ? 1 : (this.#fractions.get(key) ?? 0) };
      },
    );
  }

  #clearTimers(): void {
    this.#contact.stop();
    for (const timer of [this.#callTimer, this.#graceTimer]) if (timer !== null) clearTimeout(timer);
    this.#callTimer = this.#graceTimer = null;
  }
}
