import type { WorkerId } from '@shardex/shared/ids';
import { leaseKey, type Lease, type LeaseKey, type ReportingLease } from './held-task.js';
import type { WorkerEffect } from './lifecycle-effect.js';
import type { WorkerEvent } from './lifecycle-event.js';
import type { AliveState, DrainingState, WorkerExit, WorkerState } from './lifecycle-state.js';

export interface Step {
  readonly state: WorkerState;
  readonly effects: readonly WorkerEffect[];
}

type EventOf<Kind extends WorkerEvent['kind']> = Extract<WorkerEvent, { kind: Kind }>;

/**
 * The life of a worker, free of I/O: what has happened → where it is now and what has to be done.
 *
 * ```text
 *                registered             heartbeat answered
 * INITIALISED ───────────────► REGISTERED ───────────────► RUNNING
 *      ▲  ▲                      │    ▲   a call failed       │ │
 *      │  └──── unknown worker ──┘    └───────────────────────┘ │
 *      └─────────────────────── unknown worker ─────────────────┘
 *
 * any of them ── drain requested ──► DRAINING ── nothing left, or grace over ──► STOPPED
 * any of them ── stop requested, or refused by the coordinator ────────────────► STOPPED
 * ```
 *
 * A lost connection keeps the id: if the coordinator still knows it, the leases are still ours; if not, it says so and
 * the worker registers again with its tasks running on. What arrives too late is ignored, with the reason as an effect.
 *
 * Invariants: leases and pulls together never outnumber the slots; a report has at most one call under way and none
 * after it was heard; a draining worker pulls nothing.
 */
export function step(state: WorkerState, event: WorkerEvent): Step {
  if (state.phase === 'STOPPED') return ignore(state, `${event.kind} after the end`);
  switch (event.kind) {
    case 'start':
      if (state.phase !== 'INITIALISED') return ignore(state, 'started before');
      return { state, effects: [{ kind: 'register', pause: { failures: 0 } }] };
    case 'registered':
      return afterRegistered(state, event);
    case 'register_failed':
      return afterRegisterFailed(state, event);
    case 'heartbeat_answered':
      return afterHeartbeat(state, event);
    case 'heartbeat_failed':
      return workerIdOf(state) === event.workerId
        ? doubt(state)
        : ignore(state, 'heartbeat of an earlier registration');
    case 'pull_answered':
      return afterPull(state, event);
    case 'pull_failed':
      if (state.phase !== 'RUNNING' || !state.pulls.has(event.pull)) return ignore(state, 'pull was given up');
      return doubt(state);
    case 'task_ended':
      return afterTask(state, event);
    case 'report_answered':
      if (state.leases.get(event.key)?.status !== 'reporting')
        return ignore(state, `${event.key} is not being reported`);
      return proceed({ ...state, leases: withoutLease(state.leases, event.key), failures: 0 });
    case 'report_failed':
      return afterReportFailed(state, event);
    case 'drain_requested':
      return drain(state, event.reason);
    case 'grace_elapsed':
      if (state.phase !== 'DRAINING' || state.link === 'leaving') return ignore(state, 'no drain under way');
      return leave(state);
    case 'left':
      if (state.phase !== 'DRAINING' || state.link !== 'leaving') return ignore(state, 'not leaving');
      return stop({ kind: 'drained' });
    case 'stop_requested':
      return stop(event.exit);
  }
}

function afterRegistered(state: AliveState, { workerId }: EventOf<'registered'>): Step {
  const effects: WorkerEffect[] = [{ kind: 'heartbeat', workerId, pause: { failures: 0 } }];
  if (state.phase === 'INITIALISED') return { state: { ...state, phase: 'REGISTERED', workerId }, effects };
  if (state.phase === 'DRAINING' && state.link === 'unregistered') {
    return { state: { ...state, workerId, link: 'unconfirmed' }, effects };
  }
  return ignore(state, 'registered before');
}

function afterRegisterFailed(state: AliveState, event: EventOf<'register_failed'>): Step {
  const isUnregistered = state.phase === 'INITIALISED' || (state.phase === 'DRAINING' && state.link === 'unregistered');
  if (!isUnregistered) return ignore(state, 'registered before');
  if (event.final) return stop({ kind: 'failed', error: event.error });
  const failures = state.failures + 1;
  return { state: { ...state, failures }, effects: [{ kind: 'register', pause: { failures } }] };
}

function afterHeartbeat(state: AliveState, event: EventOf<'heartbeat_answered'>): Step {
  const workerId = workerIdOf(state);
  if (workerId === null || workerId !== event.workerId) return ignore(state, 'heartbeat of an earlier registration');
  if (state.phase === 'DRAINING' && state.link === 'leaving') return ignore(state, 'leaving');
  if (event.unknownWorker) return registerAgain(state);

  const leases = new Map(state.leases);
  const effects: WorkerEffect[] = [];
  for (const key of event.named) {
    const lease = leases.get(key);
    if (lease?.status !== 'running' || !event.abandon.includes(lease.task.taskId)) continue;
    leases.set(key, { status: 'abandoned', task: lease.task });
    effects.push({ kind: 'abandon', key });
  }
  effects.push({ kind: 'heartbeat', workerId, pause: 'interval' });
  const confirmed: AliveState =
    state.phase === 'REGISTERED'
      ? // The failures stand until a pull or a report gets through: a heartbeat alone may not be what had failed.
        { ...state, leases, phase: 'RUNNING', workerId, pulls: new Set() }
      : state.phase === 'DRAINING'
        ? { ...state, leases, link: 'confirmed' }
        : { ...state, leases, failures: 0 };
  return proceed(confirmed, effects);
}

function afterPull(state: AliveState, { pull, task }: EventOf<'pull_answered'>): Step {
  if (state.phase !== 'RUNNING' || !state.pulls.has(pull)) {
    return ignore(state, task === null ? 'pull was given up' : `${leaseKey(task)} came after its pull was given up`);
  }
  const pulls = new Set(state.pulls);
  pulls.delete(pull);
  const next = { ...state, pulls, failures: 0 };
  if (task === null) return proceed(next);
  const key = leaseKey(task);
  // The same attempt twice would be two runs with one name; the first goes on.
  if (state.leases.has(key)) return proceed(next, [{ kind: 'ignore', why: `${key} is held already`, lost: false }]);
  return proceed({ ...next, leases: withLease(state.leases, key, { status: 'running', task }) }, [
    { kind: 'run', task },
  ]);
}

function afterTask(state: AliveState, { key, outcome }: EventOf<'task_ended'>): Step {
  const lease = state.leases.get(key);
  switch (lease?.status) {
    case 'running':
      return proceed({
        ...state,
        leases: withLease(state.leases, key, {
          status: 'reporting',
          task: lease.task,
          outcome,
          inFlight: false,
          refusedAs: null,
        }),
      });
    case 'abandoned':
      return proceed({ ...state, leases: withoutLease(state.leases, key) });
    default:
      return ignore(state, `${key} is not running`);
  }
}

function afterReportFailed(state: AliveState, { key, refusedAs }: EventOf<'report_failed'>): Step {
  const lease = state.leases.get(key);
  if (lease?.status !== 'reporting') return ignore(state, `${key} is not being reported`);
  if (refusedAs !== null && lease.refusedAs === refusedAs) {
    // Refused twice by a coordinator that knows us: this lease runs out there and the task goes elsewhere.
    const why = `the coordinator refuses the report of ${key}`;
    return proceed({ ...state, leases: withoutLease(state.leases, key) }, [{ kind: 'ignore', why, lost: true }]);
  }
  const waiting: ReportingLease = { ...lease, inFlight: false, refusedAs: refusedAs ?? lease.refusedAs };
  return doubt({ ...state, leases: withLease(state.leases, key, waiting) });
}

function drain(state: AliveState, reason: string): Step {
  const { slots, leases, failures, nextPull } = state;
  const alive = { slots, leases, failures, nextPull, phase: 'DRAINING', reason } as const;
  switch (state.phase) {
    case 'INITIALISED':
      return proceed({ ...alive, workerId: null, link: 'unregistered' });
    case 'REGISTERED':
      return proceed({ ...alive, workerId: state.workerId, link: 'unconfirmed' });
    case 'RUNNING':
      return proceed({ ...alive, workerId: state.workerId, link: 'confirmed' }, [{ kind: 'cancel_pulls' }]);
    case 'DRAINING':
      return ignore(state, 'draining already');
  }
}

/** A call failed: is the coordinator there, and does it know us? One heartbeat, after a pause, will tell. */
function doubt(state: AliveState): Step {
  const failures = state.failures + 1;
  const { slots, leases, nextPull } = state;
  switch (state.phase) {
    case 'INITIALISED':
      return { state, effects: [] };
    case 'REGISTERED':
      return {
        state: { ...state, failures },
        effects: [{ kind: 'heartbeat', workerId: state.workerId, pause: { failures } }],
      };
    case 'RUNNING':
      return {
        state: { phase: 'REGISTERED', workerId: state.workerId, slots, leases, failures, nextPull },
        effects: [{ kind: 'cancel_pulls' }, { kind: 'heartbeat', workerId: state.workerId, pause: { failures } }],
      };
    case 'DRAINING':
      if (state.workerId === null || state.link === 'unregistered' || state.link === 'leaving') {
        return { state, effects: [] };
      }
      return {
        state: { ...state, link: 'unconfirmed', failures },
        effects: [{ kind: 'heartbeat', workerId: state.workerId, pause: { failures } }],
      };
  }
}

/** The coordinator has forgotten us (it restarted, or took us for dead): ask for a new id; tasks run on meanwhile. */
function registerAgain(state: AliveState): Step {
  const { slots, leases, failures, nextPull } = state;
  const effects: WorkerEffect[] = [{ kind: 'register', pause: { failures } }];
  if (state.phase === 'DRAINING') {
    return { state: { ...state, workerId: null, link: 'unregistered' }, effects };
  }
  if (state.phase === 'RUNNING') effects.unshift({ kind: 'cancel_pulls' });
  return { state: { phase: 'INITIALISED', slots, leases, failures, nextPull }, effects };
}

/** What the state calls for after any change: reports to send, pulls for free slots, or the end of a drain. */
function proceed(state: AliveState, before: readonly WorkerEffect[] = []): Step {
  if (state.phase === 'DRAINING' && state.link !== 'leaving' && state.leases.size === 0) return leave(state, before);
  const isConfirmed = state.phase === 'RUNNING' || (state.phase === 'DRAINING' && state.link === 'confirmed');
  const workerId = workerIdOf(state);
  if (!isConfirmed || workerId === null) return { state, effects: before };

  const effects = [...before];
  const leases = new Map(state.leases);
  for (const [key, lease] of leases) {
    if (lease.status !== 'reporting' || lease.inFlight) continue;
    leases.set(key, { ...lease, inFlight: true });
    effects.push({ kind: 'report', workerId, task: lease.task, outcome: lease.outcome });
  }
  if (state.phase !== 'RUNNING') return { state: { ...state, leases }, effects };

  const pulls = new Set(state.pulls);
  let { nextPull } = state;
  for (let free = state.slots - leases.size - pulls.size; free > 0; free--) {
    effects.push({ kind: 'pull', workerId, pull: nextPull });
    pulls.add(nextPull++);
  }
  return { state: { ...state, leases, pulls, nextPull }, effects };
}

/** Ends a drain: what still runs is stopped and given back by the last call. */
function leave(state: DrainingState, before: readonly WorkerEffect[] = []): Step {
  const effects = [...before];
  for (const [key, lease] of state.leases) if (lease.status === 'running') effects.push({ kind: 'abandon', key });
  if (state.workerId === null) return stop({ kind: 'drained' }, effects);
  effects.push({ kind: 'leave', workerId: state.workerId, reason: state.reason });
  return { state: { ...state, leases: new Map(), link: 'leaving' }, effects };
}

const stop = (exit: WorkerExit, before: readonly WorkerEffect[] = []): Step => ({
  state: { phase: 'STOPPED', exit },
  effects: [...before, { kind: 'stop', exit }],
});

const ignore = (state: WorkerState, why: string): Step => ({ state, effects: [{ kind: 'ignore', why, lost: false }] });

const workerIdOf = (state: AliveState): WorkerId | null => (state.phase === 'INITIALISED' ? null : state.workerId);

type Leases = ReadonlyMap<LeaseKey, Lease>;
const withLease = (leases: Leases, key: LeaseKey, lease: Lease): Leases => new Map(leases).set(key, lease);
const withoutLease = (leases: Leases, key: LeaseKey): Leases => new Map([...leases].filter(([held]) => held !== key));
