import { describe, expect, it } from 'vitest';
import { InvalidInputError, StorageUnavailableError } from '@shardex/shared/errors';
import { jobId, taskId, workerId } from '@shardex/shared/ids';
import { leaseKey, type HeldTask, type TaskOutcome } from './held-task.js';
import type { WorkerEffect } from './lifecycle-effect.js';
import type { WorkerEvent } from './lifecycle-event.js';
import { initialState, type WorkerState } from './lifecycle-state.js';
import { step } from './step.js';

const ANN = workerId('ann');
const BEA = workerId('bea');

const task = (name: string, attempt = 1): HeldTask => ({
  jobId: jobId('job'),
  stage: 'fit',
  taskId: taskId(name),
  attempt,
  scratchUri: '/scratch',
  spec: { kind: 'fit', groupBegin: 1, groupEnd: 2 },
  output: `${name}.bin`,
  memoryBytes: 1,
});
const key = (name: string, attempt = 1) => leaseKey(task(name, attempt));
const done: TaskOutcome = { kind: 'failed', error: new StorageUnavailableError('gone') };

const heartbeat = (parts: Partial<Extract<WorkerEvent, { kind: 'heartbeat_answered' }>> = {}): WorkerEvent => ({
  kind: 'heartbeat_answered',
  workerId: ANN,
  unknownWorker: false,
  named: [],
  abandon: [],
  ...parts,
});

const START: WorkerEvent = { kind: 'start' };
const REGISTERED: WorkerEvent = { kind: 'registered', workerId: ANN };
const CONFIRMED = heartbeat();
const pulled = (pull: number, granted: HeldTask | null): WorkerEvent => ({
  kind: 'pull_answered',
  pull,
  task: granted,
});
const ended = (name: string): WorkerEvent => ({ kind: 'task_ended', key: key(name), outcome: done });
const heard = (name: string): WorkerEvent => ({ kind: 'report_answered', key: key(name) });
const DRAIN: WorkerEvent = { kind: 'drain_requested', reason: 'SIGTERM' };
const LEFT: WorkerEvent = { kind: 'left' };

/** An effect in a word or two: what the assertions below read. */
const word = (effect: WorkerEffect): string => {
  switch (effect.kind) {
    case 'register':
      return `register after ${effect.pause === 'interval' ? 'interval' : effect.pause.failures}`;
    case 'heartbeat':
      return `heartbeat as ${effect.workerId} after ${effect.pause === 'interval' ? 'interval' : effect.pause.failures}`;
    case 'pull':
      return `pull ${effect.pull}`;
    case 'run':
      return `run ${leaseKey(effect.task)}`;
    case 'abandon':
      return `abandon ${effect.key}`;
    case 'report':
      return `report ${leaseKey(effect.task)} as ${effect.workerId}`;
    case 'stop':
      return `stop ${effect.exit.kind}`;
    case 'ignore':
      return effect.lost ? `lost: ${effect.why}` : `ignore: ${effect.why}`;
    default:
      return effect.kind;
  }
};

interface Life {
  readonly state: WorkerState;
  /** Phases in the order they were entered. */
  readonly phases: readonly string[];
  /** Effects of the last event. */
  readonly last: readonly string[];
}

function live(slots: number, ...events: readonly WorkerEvent[]): Life {
  let state: WorkerState = initialState(slots);
  const phases: string[] = [state.phase];
  let last: readonly string[] = [];
  for (const event of events) {
    const next = step(state, event);
    if (next.state.phase !== state.phase) phases.push(next.state.phase);
    state = next.state;
    last = next.effects.map(word);
  }
  return { state, phases, last };
}

describe('the life of a worker', () => {
  it('goes from INITIALISED over REGISTERED, RUNNING and DRAINING to STOPPED', () => {
    const { phases, last } = live(1, START, REGISTERED, CONFIRMED, DRAIN, LEFT);
    expect(phases).toEqual(['INITIALISED', 'REGISTERED', 'RUNNING', 'DRAINING', 'STOPPED']);
    expect(last).toEqual(['stop drained']);
  });

  it('pulls for every slot once a heartbeat has confirmed the registration', () => {
    expect(live(2, START).last).toEqual(['register after 0']);
    expect(live(2, START, REGISTERED).last).toEqual(['heartbeat as ann after 0']);
    expect(live(2, START, REGISTERED, CONFIRMED).last).toEqual(['heartbeat as ann after interval', 'pull 1', 'pull 2']);
  });

  it('runs a task, reports it, and pulls again when the report was heard', () => {
    const running = [START, REGISTERED, CONFIRMED, pulled(1, task('a'))];
    expect(live(1, ...running).last).toEqual(['run a#1']);
    expect(live(1, ...running, ended('a')).last).toEqual(['report a#1 as ann']);
    expect(live(1, ...running, ended('a'), heard('a')).last).toEqual(['pull 2']);
  });

  it('pulls again after a pull without a task', () => {
    expect(live(1, START, REGISTERED, CONFIRMED, pulled(1, null)).last).toEqual(['pull 2']);
  });

  it('runs an attempt once, should it be granted twice', () => {
    const { last } = live(2, START, REGISTERED, CONFIRMED, pulled(1, task('a')), pulled(2, task('a')));
    expect(last).toEqual(['ignore: a#1 is held already', 'pull 3']);
  });

  it('tries to register again after growing pauses, and gives up when it is refused', () => {
    const away: WorkerEvent = { kind: 'register_failed', error: new StorageUnavailableError('away'), final: false };
    const refused: WorkerEvent = { kind: 'register_failed', error: new InvalidInputError('too old'), final: true };
    expect(live(1, START, away).last).toEqual(['register after 1']);
    expect(live(1, START, away, away).last).toEqual(['register after 2']);
    expect(live(1, START, away, refused)).toMatchObject({ phases: ['INITIALISED', 'STOPPED'], last: ['stop failed'] });
  });
});

describe('a lost connection', () => {
  const running = [START, REGISTERED, CONFIRMED, pulled(1, task('a'))];

  it('is probed by one heartbeat at a time, with the same id, and stops the pulls meanwhile', () => {
    const lost = live(3, ...running, { kind: 'pull_failed', pull: 2 });
    expect(lost.phases.at(-1)).toBe('REGISTERED');
    expect(lost.last).toEqual(['cancel_pulls', 'heartbeat as ann after 1']);
    const further = live(3, ...running, { kind: 'pull_failed', pull: 2 }, { kind: 'pull_failed', pull: 3 });
    expect(further.last).toEqual(['ignore: pull was given up']);
    const back = live(3, ...running, { kind: 'pull_failed', pull: 2 }, heartbeat());
    expect(back.last).toEqual(['heartbeat as ann after interval', 'pull 4', 'pull 5']);
  });

  it('keeps reports until it is back', () => {
    const down: WorkerEvent = { kind: 'heartbeat_failed', workerId: ANN };
    expect(live(1, ...running, down, ended('a')).last).toEqual([]);
    expect(live(1, ...running, down, ended('a'), down).last).toEqual(['heartbeat as ann after 2']);
    const back = live(1, ...running, down, ended('a'), heartbeat());
    expect(back.last).toEqual(['heartbeat as ann after interval', 'report a#1 as ann']);
  });

  it('sends a report again that failed on the way', () => {
    const failed: WorkerEvent = { kind: 'report_failed', key: key('a'), refusedAs: null };
    expect(live(1, ...running, ended('a'), failed).last).toEqual(['cancel_pulls', 'heartbeat as ann after 1']);
    const back = live(1, ...running, ended('a'), failed, heartbeat());
    expect(back.last).toContain('report a#1 as ann');
  });
});

describe('a coordinator that has forgotten the worker', () => {
  const running = [START, REGISTERED, CONFIRMED, pulled(1, task('a'))];
  const forgotten = heartbeat({ unknownWorker: true });

  it('is registered with again while the tasks run on, and gets the reports under the new id', () => {
    const again = live(2, ...running, forgotten);
    expect(again.phases.slice(-2)).toEqual(['RUNNING', 'INITIALISED']);
    expect(again.last).toEqual(['cancel_pulls', 'register after 0']);
    const events = [...running, forgotten, { kind: 'registered', workerId: BEA } as const, ended('a')];
    const { phases, last } = live(2, ...events, heartbeat({ workerId: BEA, named: [key('a')] }));
    expect(phases.slice(-3)).toEqual(['INITIALISED', 'REGISTERED', 'RUNNING']);
    expect(last).toEqual(['heartbeat as bea after interval', 'report a#1 as bea', 'pull 3']);
  });

  it('may answer a heartbeat of the earlier registration, which is ignored', () => {
    const events = [...running, forgotten, { kind: 'registered', workerId: BEA } as const];
    expect(live(2, ...events, forgotten).last).toEqual(['ignore: heartbeat of an earlier registration']);
  });

  it('ends a report by refusing it twice under the same id, but not once under each of two', () => {
    const refused = (refusedAs: typeof ANN): WorkerEvent => ({ kind: 'report_failed', key: key('a'), refusedAs });
    const twice = live(1, ...running, ended('a'), refused(ANN), heartbeat(), refused(ANN));
    expect(twice.last[0]).toBe('lost: the coordinator refuses the report of a#1');
    const events = [...running, ended('a'), refused(ANN), forgotten, { kind: 'registered', workerId: BEA } as const];
    const other = live(1, ...events, heartbeat({ workerId: BEA }), refused(BEA), heartbeat({ workerId: BEA }));
    expect(other.last).toContain('report a#1 as bea');
  });
});

describe('abandoning', () => {
  const running = [START, REGISTERED, CONFIRMED, pulled(1, task('a'))];
  const abandon = heartbeat({ named: [key('a')], abandon: [taskId('a')] });

  it('stops the task, reports nothing, and pulls when the thread has let go', () => {
    expect(live(1, ...running, abandon).last).toEqual(['abandon a#1', 'heartbeat as ann after interval']);
    expect(live(1, ...running, abandon, ended('a')).last).toEqual(['pull 2']);
  });

  it('asks for it once', () => {
    expect(live(1, ...running, abandon, abandon).last).toEqual(['heartbeat as ann after interval']);
  });

  it('does not touch a later attempt at the task, granted while the heartbeat was under way', () => {
    const again = [START, REGISTERED, CONFIRMED, pulled(1, task('a', 2))];
    expect(live(1, ...again, abandon).last).toEqual(['heartbeat as ann after interval']);
  });
});

describe('a drain', () => {
  const running = [START, REGISTERED, CONFIRMED, pulled(1, task('a'))];

  it('finishes and reports what runs, pulls nothing, and leaves', () => {
    expect(live(2, ...running, DRAIN).last).toEqual(['cancel_pulls']);
    expect(live(2, ...running, DRAIN, ended('a')).last).toEqual(['report a#1 as ann']);
    expect(live(2, ...running, DRAIN, ended('a'), heard('a')).last).toEqual(['leave']);
    expect(live(2, ...running, DRAIN, pulled(2, task('b'))).last).toEqual([
      'ignore: b#1 came after its pull was given up',
    ]);
  });

  it('gives back what has not finished within the grace time', () => {
    const { last, state } = live(1, ...running, DRAIN, { kind: 'grace_elapsed' });
    expect(last).toEqual(['abandon a#1', 'leave']);
    expect(state).toMatchObject({ phase: 'DRAINING', link: 'leaving' });
    expect(live(1, ...running, DRAIN, { kind: 'grace_elapsed' }, ended('a')).last).toEqual([
      'ignore: a#1 is not running',
    ]);
  });

  it('registers again with a coordinator that restarted, to deliver the last reports', () => {
    const events = [...running, DRAIN, heartbeat({ unknownWorker: true }), ended('a')];
    expect(live(1, ...events).last).toEqual([]);
    const registered: WorkerEvent = { kind: 'registered', workerId: BEA };
    const { last } = live(1, ...events, registered, heartbeat({ workerId: BEA }));
    expect(last).toEqual(['heartbeat as bea after interval', 'report a#1 as bea']);
  });

  it('ends at once without a registration to give back', () => {
    expect(live(1, START, DRAIN)).toMatchObject({ phases: ['INITIALISED', 'STOPPED'], last: ['stop drained'] });
  });

  it('is cut short by a request to stop', () => {
    const { state, last } = live(1, ...running, DRAIN, {
      kind: 'stop_requested',
      exit: { kind: 'stopped', reason: 'second SIGTERM' },
    });
    expect(state).toEqual({ phase: 'STOPPED', exit: { kind: 'stopped', reason: 'second SIGTERM' } });
    expect(last).toEqual(['stop stopped']);
  });
});

it('a stopped worker ignores everything', () => {
  const { last } = live(1, START, DRAIN, REGISTERED);
  expect(last).toEqual(['ignore: registered after the end']);
});
