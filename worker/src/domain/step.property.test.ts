import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CancelledError, StorageUnavailableError } from '@shardex/shared/errors';
import { jobId, taskId, workerId } from '@shardex/shared/ids';
import { leaseKey, type HeldTask, type LeaseKey } from './held-task.js';
import type { WorkerEffect } from './lifecycle-effect.js';
import type { WorkerEvent } from './lifecycle-event.js';
import { initialState, type WorkerState } from './lifecycle-state.js';
import { step } from './step.js';

/** One random decision: which open call or thread moves next, and how. */
interface Move {
  readonly pick: number;
  readonly how: number;
}

/**
 * The world around the machine: it carries out effects as open calls and threads, answers them in any order and in any
 * way that the protocol allows, and checks the invariants after every step.
 */
class World {
  state: WorkerState;
  readonly #open: { effect: WorkerEffect; answers: readonly ((how: number) => WorkerEvent)[] }[] = [];
  readonly #threads = new Set<LeaseKey>();
  readonly #reporting = new Set<LeaseKey>();
  readonly #heard = new Set<LeaseKey>();
  #registrations = 0;
  #retries = 0;
  #tasks = 0;
  #isDraining = false;

  constructor(readonly slots: number) {
    this.state = initialState(slots);
    this.apply({ kind: 'start' });
  }

  apply(event: WorkerEvent): void {
    if (event.kind === 'report_answered') this.#heard.add(event.key);
    if (event.kind === 'report_answered' || event.kind === 'report_failed') this.#reporting.delete(event.key);
    const { state, effects } = step(this.state, event);
    this.state = state;
    if (event.kind === 'drain_requested') this.#isDraining = true;
    for (const effect of effects) this.#perform(effect);
    this.#check();
  }

  move({ pick, how }: Move): void {
    const choices = this.#open.length + this.#threads.size + 1;
    const chosen = pick % choices;
    if (chosen < this.#open.length) {
      const [{ answers }] = this.#open.splice(chosen, 1);
      this.apply(answers[how % answers.length](how));
    } else if (chosen < choices - 1) {
      const key = [...this.#threads][chosen - this.#open.length];
      this.#threads.delete(key);
      this.apply({ kind: 'task_ended', key, outcome: { kind: 'failed', error: new StorageUnavailableError('x') } });
    } else if (how % 256 === 0) {
      this.apply({ kind: 'drain_requested', reason: 'test' });
    } else if (how % 256 === 1) {
      this.apply({ kind: 'grace_elapsed' });
    }
  }

  /** Answers everything well until nothing is open: a drain has to end. */
  finish(): void {
    this.apply({ kind: 'drain_requested', reason: 'end' });
    for (let moves = 0; this.state.phase !== 'STOPPED'; moves++) {
      expect(moves, 'a drain that is answered ends').toBeLessThan(1_000);
      this.move({ pick: moves % Math.max(1, this.#open.length + this.#threads.size), how: 0 });
    }
  }

  #perform(effect: WorkerEffect): void {
    switch (effect.kind) {
      case 'register':
        this.#forget('register', 'heartbeat');
        this.#await(
          effect,
          () => ({ kind: 'registered', workerId: workerId(`w${++this.#registrations}`) }),
          () => ({ kind: 'register_failed', error: new StorageUnavailableError('away'), final: false }),
        );
        break;
      case 'heartbeat': {
        if (this.#open.some(({ effect: other }) => other.kind === 'heartbeat' && other.workerId === effect.workerId))
          break;
        const named = this.state.phase === 'STOPPED' ? [] : [...this.state.leases.keys()];
        const answer = (how: number, unknownWorker: boolean): WorkerEvent => {
          const abandon = how % 3 === 1 ? named.map((key) => taskId(key.split('#')[0])) : [];
          return { kind: 'heartbeat_answered', workerId: effect.workerId, unknownWorker, named, abandon };
        };
        this.#await(
          effect,
          ...new Array<(how: number) => WorkerEvent>(6).fill((how) => answer(how, false)),
          () => ({ kind: 'heartbeat_failed', workerId: effect.workerId }),
          (how) => answer(how, true),
        );
        break;
      }
      case 'pull':
        expect(this.#isDraining, 'a draining worker pulls nothing').toBe(false);
        this.#await(
          effect,
          () => ({ kind: 'pull_answered', pull: effect.pull, task: null }),
          ...new Array<(how: number) => WorkerEvent>(6).fill((how) => {
            return { kind: 'pull_answered', pull: effect.pull, task: this.#grant(how) };
          }),
          () => ({ kind: 'pull_failed', pull: effect.pull }),
        );
        break;
      case 'run': {
        const key = leaseKey(effect.task);
        expect(this.#threads.has(key), 'no attempt runs twice at a time').toBe(false);
        this.#threads.add(key);
        break;
      }
      case 'report': {
        const key = leaseKey(effect.task);
        expect(this.#reporting.has(key), 'a report has one call at most').toBe(false);
        expect(this.#heard.has(key), 'a report that was heard is not sent again').toBe(false);
        this.#reporting.add(key);
        this.#await(
          effect,
          () => ({ kind: 'report_answered', key }),
          () => ({ kind: 'report_answered', key }),
          () => ({ kind: 'report_failed', key, refusedAs: null }),
          () => ({ kind: 'report_failed', key, refusedAs: effect.workerId }),
        );
        break;
      }
      case 'leave':
        this.#await(effect, () => ({ kind: 'left' }));
        break;
      default:
        break;
    }
  }

  /** A new task, or one time in four another attempt at the latest one. */
  #grant(how: number): HeldTask {
    const isRetry = how % 4 === 0 && this.#tasks > 0;
    const number = isRetry ? this.#tasks : ++this.#tasks;
    return {
      jobId: jobId('job'),
      stage: 'fit',
      taskId: taskId(`t${number}`),
      attempt: isRetry ? 1 + ++this.#retries : 1,
      scratchUri: '/scratch',
      spec: { kind: 'fit', groupBegin: 1, groupEnd: 2 },
      output: 'out',
      memoryBytes: 1,
    };
  }

  #await(effect: WorkerEffect, ...answers: ((how: number) => WorkerEvent)[]): void {
    this.#open.push({ effect, answers });
  }

  #forget(...kinds: WorkerEffect['kind'][]): void {
    const kept = this.#open.filter(({ effect }) => !kinds.includes(effect.kind));
    this.#open.splice(0, Infinity, ...kept);
  }

  #check(): void {
    const { state, slots } = this;
    if (state.phase === 'STOPPED') return;
    const pulls = state.phase === 'RUNNING' ? state.pulls.size : 0;
    expect(state.leases.size + pulls, 'leases and pulls fit the slots').toBeLessThanOrEqual(slots);
    if (state.phase === 'RUNNING') expect(state.leases.size + pulls, 'no slot is idle').toBe(slots);
    const isLeaving = state.phase === 'DRAINING' && state.link === 'leaving';
    for (const [key, { status }] of state.leases) {
      expect(this.#threads.has(key), `${status} ${key}`).toBe(status !== 'reporting');
    }
    if (!isLeaving) {
      for (const key of this.#threads) expect(state.leases.has(key), `a thread without a lease: ${key}`).toBe(true);
      const asks = this.#open.filter(({ effect }) => effect.kind === 'register' || effect.kind === 'heartbeat');
      expect(asks.length, 'the coordinator is being asked for').toBeGreaterThan(0);
    }
  }
}

const moves = fc.array(fc.record({ pick: fc.nat(1_000), how: fc.nat(1_000) }), { size: 'max', maxLength: 300 });

it('keeps its invariants whatever the coordinator and the threads do, and always comes to an end', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), moves, (slots, sequence) => {
      const world = new World(slots);
      for (const move of sequence) if (world.state.phase !== 'STOPPED') world.move(move);
      if (world.state.phase !== 'STOPPED') world.finish();
      expect(world.state).toEqual({ phase: 'STOPPED', exit: { kind: 'drained' } });
    }),
    { seed: 20_240_607, numRuns: 200 },
  );
});

const anyKey = fc.constantFrom('t1#1', 't2#1', 't2#2').map((text) => text as LeaseKey);
const anyWorker = fc.constantFrom('w1', 'w2').map(workerId);
const anyTask = fc.constantFrom('t1', 't2').map((name): HeldTask => ({
  jobId: jobId('job'),
  stage: 'fit',
  taskId: taskId(name),
  attempt: 1,
  scratchUri: '/scratch',
  spec: { kind: 'fit', groupBegin: 1, groupEnd: 2 },
  output: 'out',
  memoryBytes: 1,
}));
const anyEvent: fc.Arbitrary<WorkerEvent> = fc.oneof(
  fc.constant({ kind: 'start' } as const),
  fc.record({ kind: fc.constant('registered' as const), workerId: anyWorker }),
  fc.record({
    kind: fc.constant('heartbeat_answered' as const),
    workerId: anyWorker,
    unknownWorker: fc.boolean(),
    named: fc.array(anyKey),
    abandon: fc.array(fc.constantFrom(taskId('t1'), taskId('t2'))),
  }),
  fc.record({ kind: fc.constant('heartbeat_failed' as const), workerId: anyWorker }),
  fc.record({
    kind: fc.constant('pull_answered' as const),
    pull: fc.integer({ min: 1, max: 6 }),
    task: fc.option(anyTask),
  }),
  fc.record({ kind: fc.constant('pull_failed' as const), pull: fc.integer({ min: 1, max: 6 }) }),
  fc.record({
    kind: fc.constant('task_ended' as const),
    key: anyKey,
    outcome: fc.constant({ kind: 'failed' as const, error: new CancelledError('x') }),
  }),
  fc.record({ kind: fc.constant('report_answered' as const), key: anyKey }),
  fc.record({ kind: fc.constant('report_failed' as const), key: anyKey, refusedAs: fc.option(anyWorker) }),
  fc.constant({ kind: 'drain_requested', reason: 'r' } as const),
  fc.constant({ kind: 'grace_elapsed' } as const),
  fc.constant({ kind: 'left' } as const),
);

it('takes any event in any state: never more leases and pulls than slots, no pull while draining, no call after the end', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.array(anyEvent, { maxLength: 60 }), (slots, events) => {
      let state: WorkerState = initialState(slots);
      for (const event of events) {
        const before = state;
        const { state: after, effects } = step(before, event);
        if (after.phase !== 'STOPPED') {
          const pulls = after.phase === 'RUNNING' ? after.pulls.size : 0;
          expect(after.leases.size + pulls).toBeLessThanOrEqual(slots);
        }
        if (after.phase === 'DRAINING') expect(effects.some(({ kind }) => kind === 'pull')).toBe(false);
        if (before.phase === 'STOPPED') expect(effects.map(({ kind }) => kind)).toEqual(['ignore']);
        state = after;
      }
    }),
    { seed: 7, numRuns: 500 },
  );
});
