import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ErrorTag } from '@shardex/shared/errors';
import { workerId, type JobId, type TaskId } from '@shardex/shared/ids';
import { MachineBench } from '../testing/machine-bench.js';
import { plannedTasks, splitTasks } from '../testing/scripted-planner.js';
import { recordOf, type Effect, type Grant, type StagePlan } from './index.js';

const TAGS: readonly ErrorTag[] = [
  'StorageUnavailable',
  'ResourceExhausted',
  'WorkerLost',
  'ResultLost',
  'Cancelled',
  'StaleAttempt',
  'DeadlineExceeded',
  'CorruptData',
];
const WORKERS = ['a', 'b', 'c'] as const;
const MEMORY = { a: 0, b: 8, c: 3 } as const;

/** One thing that happens; the numbers choose among what there is at that time. */
const happening = fc.tuple(
  fc.constantFrom(
    ...(['submit', 'cancel', 'register', 'pull', 'pull', 'pull', 'complete', 'complete', 'complete', 'fail'] as const),
    ...([
      'heartbeat',
      'heartbeat',
      'drain',
      'undelivered',
      'pullEnded',
      'tick',
      'tick',
      'pause',
      'answer',
      'answer',
      'answer',
    ] as const),
    ...(['answerBadly', 'loseResult', 'linger', 'linger', 'failDouble'] as const),
  ),
  fc.nat(1_000),
  fc.nat(1_000),
);
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

/** Lines of the story that end an attempt. */
const ENDS: ReadonlySet<string> = new Set([
  ...['task-done', 'task-retried', 'task-returned', 'task-failed', 'task-abandoned', 'task-split'],
  ...['double-lost', 'task-outrun'],
]);

type Pending = Extract<Effect, { kind: 'planStage' | 'runReduction' | 'splitTask' | 'auditScratch' }>;

/** The world around the machine: workers that come and go, a planner that answers late, and a record of who holds what. */
class World {
  readonly bench = new MachineBench({
    maxFreeFailures: 4,
    retryDelayMs: 20,
    endedJobsKept: 1_000,
    taskTimeoutMs: 4_000,
    doubleAfterMs: 100,
  });
  readonly jobs: JobId[] = [];
  readonly grants: Grant[] = [];
  readonly pending: Pending[] = [];
  /** The current attempts of each task, the first one first, kept from what the machine tells and not from its state. */
  readonly holders = new Map<TaskId, readonly Grant[]>();
  readonly accepts = new Map<TaskId, number>();
  readonly reopened = new Map<TaskId, number>();
  readonly answeredPulls = new Set<number>();
  /** Interesting things that happened, so that the test can show that it reached them. */
  readonly reached: Set<string>;
  private looked: readonly Effect[] | null = null;

  constructor(reached: Set<string>) {
    this.reached = reached;
    for (const worker of WORKERS) this.bench.register(worker, MEMORY[worker]);
  }

  do([what, x, y]: Happening): void {
    const { bench } = this;
    const worker = WORKERS[x % WORKERS.length];
    const grant =
      this.grants.length === 0
        ? undefined
        : this.grants[this.grants.length - 1 - (x % Math.min(8, this.grants.length))];
    switch (what) {
      case 'submit':
        if (this.jobs.length < 4) this.jobs.push(bench.submit(`j${this.jobs.length}`, stagesFrom(x)));
        break;
      case 'cancel':
        if (y % 4 === 0 && this.jobs.length > 0) bench.cancel(this.jobs[x % this.jobs.length]);
        break;
      case 'register':
        bench.register(worker, MEMORY[worker]);
        break;
      case 'pull':
        bench.pull(worker);
        break;
      case 'complete':
        if (grant !== undefined) this.report(grant, () => bench.complete(grant), true);
        break;
      case 'fail': {
        const output = this.grants[y % Math.max(1, this.grants.length)]?.output ?? 'nothing';
        if (grant !== undefined) this.report(grant, () => bench.fail(grant, TAGS[y % TAGS.length], { output }), false);
        break;
      }
      case 'loseResult': {
        const holder = this.held().at(x % Math.max(1, this.holders.size));
        const done = this.grants.filter((one) => one.jobId === holder?.jobId && this.accepts.has(one.taskId));
        if (holder === undefined || done.length === 0) break;
        // Now and then it is a reduction's output.
        const output = y % 5 === 0 ? `s${x % 3}.bundle` : done[y % done.length].output;
        this.report(holder, () => bench.fail(holder, 'ResultLost', { output }), false);
        break;
      }
      case 'heartbeat': {
        const own = this.held().filter((one, index) => one.workerId === worker && (y >> index) % 2 === 0);
        bench.heartbeat(worker, ...own);
        break;
      }
      case 'linger':
        // Everyone goes on and says so: what has been begun becomes late.
        for (const one of this.held())
          bench.heartbeat(one.workerId, ...this.held().filter((o) => o.workerId === one.workerId));
        bench.nowMs += 450;
        bench.happen({ kind: 'tick' });
        break;
      case 'failDouble': {
        const doubles = [...this.holders.values()].flatMap((attempts) => attempts.slice(1));
        const one = doubles.at(x % Math.max(1, doubles.length));
        if (one !== undefined) this.report(one, () => bench.fail(one, TAGS[y % TAGS.length]), false);
        break;
      }
      case 'drain':
        bench.happen({ kind: 'workerDrained', workerId: workerId(worker), reason: 'drain' });
        break;
      case 'undelivered':
        if (grant !== undefined) bench.happen({ ...grant, kind: 'grantUndelivered' });
        break;
      case 'pullEnded':
        bench.happen({ kind: 'pullEnded', pullId: x % 20 });
        break;
      case 'tick':
        bench.nowMs += x % 400;
        bench.happen({ kind: 'tick' });
        break;
      case 'pause':
        bench.nowMs += 5_000;
        bench.happen({ kind: 'tick' });
        break;
      case 'answer':
      case 'answerBadly':
        this.answer(x, what === 'answerBadly' ? TAGS[y % TAGS.length] : null);
        break;
    }
    this.look(bench.latest);
  }

  /** Every attempt that a worker holds and whose result would be taken. */
  private held(): Grant[] {
    return [...this.holders.values()].flat();
  }

  private release(taskId: TaskId, attempt: number | undefined): void {
    const left = (this.holders.get(taskId) ?? []).filter((one) => one.attempt !== attempt);
    if (left.length === 0) this.holders.delete(taskId);
    else this.holders.set(taskId, left);
  }

  private failuresOf({ jobId, taskId }: Grant): number {
    const task = this.bench.state.jobs.get(jobId)?.tasks.get(taskId);
    return task === undefined ? 0 : task.countedFailures + task.freeFailures;
  }

  /** Reports are accepted exactly when they come from a current attempt of a job that goes on. */
  private report(grant: Grant, act: () => boolean, success: boolean): void {
    const holders = this.holders.get(grant.taskId) ?? [];
    const place = holders.findIndex(({ attempt, workerId }) => {
      return attempt === grant.attempt && workerId === grant.workerId;
    });
    const failures = this.failuresOf(grant);
    const accepted = act();
    expect(accepted).toBe(place >= 0);
    if (place === 1 && !success) {
      expect(this.failuresOf(grant), 'a second attempt beside the first costs the task nothing').toBe(failures);
      this.reached.add('a failed double');
    }
    if (place >= 0 && holders.length === 2 && success) this.reached.add(`done by attempt ${place + 1} of two`);
    if (!accepted) this.reached.add('stale report');
    if (accepted && success) this.accepts.set(grant.taskId, (this.accepts.get(grant.taskId) ?? 0) + 1);
  }

  answer(choice: number, tag: ErrorTag | null): void {
    if (this.pending.length === 0) return;
    const [asked] = this.pending.splice(choice % this.pending.length, 1);
    const details = { output: this.grants[choice % Math.max(1, this.grants.length)]?.output ?? 'nothing' };
    const failure = tag === null ? null : { tag, message: tag, hint: '', details };
    const { bench } = this;
    const { jobId } = asked;
    if (asked.kind === 'auditScratch') {
      const { sinceMs } = asked;
      const missing = choice % 3 === 0 ? [...(this.bench.state.jobs.get(jobId)?.taskOfOutput.keys() ?? [])] : [];
      if (failure !== null) bench.happen({ kind: 'scratchAuditFailed', jobId, failure });
      else bench.happen({ kind: 'scratchAudited', jobId, sinceMs, missing });
      return;
    }
    const { stage } = asked;
    if (asked.kind === 'splitTask') {
      const { taskId, halves } = asked;
      if (failure !== null) bench.happen({ kind: 'taskSplitFailed', jobId, stage, taskId, failure });
      else bench.happen({ kind: 'taskSplit', jobId, stage, taskId, halves: splitTasks(jobId, stage, taskId, halves) });
    } else if (asked.kind === 'planStage') {
      const count = choice % 5;
      if (failure !== null) bench.happen({ kind: 'stagePlanFailed', jobId, stage, failure });
      else bench.plan(jobId, stage, wideTasks(jobId, stage, count, choice % 10));
    } else if (failure !== null) bench.happen({ kind: 'reductionFailed', jobId, stage, failure });
    else bench.happen({ kind: 'reductionDone', jobId, stage, report: { warnings: [] } });
  }

  /** Reads the latest event's effects, once. */
  look(effects: readonly Effect[]): void {
    if (effects === this.looked) return;
    this.looked = effects;
    const doubled = new Set<TaskId>();
    for (const effect of effects) {
      if (effect.kind === 'planStage' || effect.kind === 'runReduction') this.pending.push(effect);
      if (effect.kind === 'splitTask' || effect.kind === 'auditScratch') this.pending.push(effect);
      if (effect.kind === 'grant') {
        expect(this.answeredPulls.has(effect.pullId)).toBe(false);
        this.answeredPulls.add(effect.pullId);
        const { taskId, workerId } = effect.grant;
        const beside = this.holders.get(taskId) ?? [];
        expect(beside.length, 'at most two attempts at once').toBeLessThanOrEqual(doubled.has(taskId) ? 1 : 0);
        expect(beside.map((one) => one.workerId)).not.toContain(workerId);
        this.holders.set(taskId, [...beside, effect.grant]);
        this.grants.push(effect.grant);
      }
      if (effect.kind === 'pullRefused') this.answeredPulls.add(effect.pullId);
      if (effect.kind === 'log' && effect.entry.taskId !== undefined) {
        const { kind, taskId, attempt } = effect.entry;
        this.reached.add(kind);
        if (ENDS.has(kind)) this.release(taskId, attempt);
        if (kind === 'task-doubled') doubled.add(taskId);
        if (kind === 'stage-reopened') this.reopened.set(taskId, (this.reopened.get(taskId) ?? 0) + 1);
      }
    }
  }

  /** From now on all goes well: a good worker, a prompt planner, time that passes. @returns whether every job has ended */
  finish(): boolean {
    // Ended, and nobody holds any of it: a failed job ends before its workers have let go.
    const ended = (): boolean => this.jobs.every((job) => this.bench.state.jobs.get(job)?.finalHistory !== null);
    for (let round = 0; round < 400 && !ended(); round++) {
      while (this.pending.length > 0) {
        this.answer(round, null);
        this.look(this.bench.latest);
      }
      if (!this.bench.state.workers.has(workerId('good'))) this.bench.register('good', 0);
      this.bench.pull('good');
      this.look(this.bench.latest);
      const mine = this.held().filter((grant) => grant.workerId === 'good');
      for (const grant of mine) {
        this.report(grant, () => this.bench.complete(grant), true);
        this.look(this.bench.latest);
      }
      this.bench.nowMs += 150;
      this.bench.happen({ kind: 'tick' });
      this.look(this.bench.latest);
    }
    return ended();
  }
}

/** Tasks that can be halved twice. */
const wideTasks = (jobId: string, stage: string, count: number, memoryBytes: number) =>
  plannedTasks(jobId, stage, count, memoryBytes).map((task, i) => {
    return { ...task, spec: { kind: 'fit', groupBegin: 4 * i, groupEnd: 4 * i + 4 } as const };
  });

function stagesFrom(seed: number): StagePlan[] {
  return Array.from({ length: 1 + (seed % 3) }, (_, index) =>
    (seed >> (index + 2)) % 3 === 0
      ? { name: `s${index}`, executor: 'coordinator', output: `s${index}.bundle` }
      : { name: `s${index}`, executor: 'workers' },
  );
}

describe('whatever happens', () => {
  it('invariants hold, each report is judged rightly, no result is taken twice, and every job ends', () => {
    const reached = new Set<string>();
    fc.assert(
      fc.property(fc.array(happening, { minLength: 20, maxLength: 150 }), (happenings) => {
        const world = new World(reached);
        for (const one of happenings) world.do(one);
        expect(world.finish()).toBe(true);
        for (const [taskId, accepted] of world.accepts) {
          expect(accepted).toBeLessThanOrEqual(1 + (world.reopened.get(taskId) ?? 0));
        }
        for (const job of world.jobs) {
          const state = world.bench.jobState(job);
          reached.add(state);
          expect(world.bench.state.jobs.get(job)?.held).toBe(0);
          expect(world.bench.released.filter((one) => one === job)).toHaveLength(1);
        }
      }),
      { seed: 20_260_131, numRuns: 600 },
    );
    // The sequences did reach what they are meant to test.
    for (const kind of [
      'succeeded',
      'failed',
      'cancelled',
      'stale report',
      'lease-expired',
      'task-abandoned',
      'stage-reopened',
      'task-split',
    ])
      expect(reached).toContain(kind);
  });

  it('to tasks that two workers are at, one result counts, and only the attempt that is left can cost anything', () => {
    const reached = new Set<string>();
    fc.assert(
      fc.property(fc.array(happening, { minLength: 10, maxLength: 60 }), (happenings) => {
        const world = new World(reached);
        const { bench } = world;
        const job = bench.submit('j0', [{ name: 's0', executor: 'workers' }]);
        bench.plan(job, 's0', wideTasks(job, 's0', 3, 1));
        world.jobs.push(job);
        world.look(bench.latest);
        // Of the first tasks one is done quickly; then everyone waits for more.
        for (const worker of WORKERS) world.do(['pull', WORKERS.indexOf(worker), 0]);
        world.do(['complete', 0, 0]);
        for (const what of ['linger', 'pull', 'linger'] as const) world.do([what, 2, 0]);
        for (const one of happenings) world.do(one);
        expect(world.finish()).toBe(true);
        reached.add(bench.jobState(job));
      }),
      { seed: 20_261_129, numRuns: 400 },
    );
    for (const kind of [
      ...['task-doubled', 'task-outrun', 'double-lost', 'a failed double'],
      ...['done by attempt 1 of two', 'done by attempt 2 of two', 'succeeded', 'failed', 'cancelled'],
    ])
      expect(reached).toContain(kind);
  });

  it('a coordinator that is started again knows the ended jobs and brings the others to their end', () => {
    const before = new Set<string>();
    const goals = {
      cancelled: 'cancelled',
      cancelling: 'cancelled',
      failed: 'failed',
      succeeded: 'succeeded',
    } as const;
    fc.assert(
      fc.property(fc.array(happening, { minLength: 20, maxLength: 80 }), (happenings) => {
        const first = new World(new Set());
        for (const one of happenings) first.do(one);
        const next = new World(new Set());
        const attempts = new Map<TaskId, number>();
        for (const { taskId, attempt } of first.grants) attempts.set(taskId, attempt);
        next.bench.nowMs = first.bench.nowMs;
        for (const job of first.bench.state.jobs.values()) {
          const record = structuredClone(recordOf(job));
          next.jobs.push(record.jobId);
          next.bench.happen({ kind: 'jobRestored', record, attempts });
          next.look(next.bench.latest);
        }
        expect(next.finish()).toBe(true);
        for (const { jobId, status } of first.bench.state.jobs.values()) {
          before.add(status.state);
          const goal = status.state === 'queued' || status.state === 'running' ? 'succeeded' : goals[status.state];
          expect(next.bench.jobState(jobId)).toBe(goal);
          const submitted = first.bench.state.jobs.get(jobId)?.submittedMs;
          expect(next.bench.state.jobs.get(jobId)?.submittedMs).toBe(submitted);
        }
        for (const { taskId, attempt } of next.grants) expect(attempt).toBeGreaterThan(attempts.get(taskId) ?? 0);
      }),
      { seed: 1_912, numRuns: 300 },
    );
    for (const state of ['queued', 'running', 'cancelling', 'cancelled', 'failed', 'succeeded'])
      expect(before).toContain(state);
  });

  it('a job that only loses workers and leases, and is never cancelled, succeeds with each task done once', () => {
    const harmless = happening.filter(
      ([what]) => !['cancel', 'fail', 'answerBadly', 'loseResult', 'submit'].includes(what),
    );
    fc.assert(
      fc.property(fc.array(harmless, { minLength: 20, maxLength: 60 }), (happenings) => {
        const world = new World(new Set());
        // A task may lose three workers here before its patience ends; silence longer than that is another test.
        const bench = world.bench;
        Object.assign(bench.state.options, { maxFreeFailures: 1_000 });
        world.jobs.push(bench.submitTasks('j', 5));
        world.look(bench.latest);
        for (const one of happenings) world.do(one);
        expect(world.finish()).toBe(true);
        expect(bench.jobState(world.jobs[0])).toBe('succeeded');
        expect([...world.accepts.values()]).toEqual([1, 1, 1, 1, 1]);
      }),
      { seed: 4_711, numRuns: 300 },
    );
  });
});
