import { describe, expect, it } from 'vitest';
import { taskId, type JobId } from '@shardex/shared/ids';
import { MachineBench, must } from '../testing/machine-bench.js';
import { plannedTasks, splitTasks, THREE_STAGES } from '../testing/scripted-planner.js';
import { halvesOf } from './plan-shards.js';
import type { Effect, Grant, MachineOptions } from './index.js';

/** A bench with one job, whose one stage is one task of `groups` groups. */
function benchOf(groups: number, options: Partial<MachineOptions> = {}): { bench: MachineBench; job: JobId } {
  const bench = new MachineBench({ taskTimeoutMs: 0, ...options });
  const job = bench.submit('j', [{ name: 'fit', executor: 'workers' }]);
  const [task] = plannedTasks('j', 'fit', 1);
  bench.plan(job, 'fit', [{ ...task, spec: { kind: 'fit', groupBegin: 1, groupEnd: 1 + groups } }]);
  bench.register('w', 0);
  return { bench, job };
}

const splitOf = (effects: readonly Effect[]) => effects.find((effect) => effect.kind === 'splitTask');

/** The planner does what the machine asked for. @returns whether it asked */
function answerSplit(bench: MachineBench): boolean {
  const asked = splitOf(bench.latest);
  if (asked === undefined) return false;
  const { jobId, stage, taskId: whole, halves } = asked;
  bench.happen({ kind: 'taskSplit', jobId, stage, taskId: whole, halves: splitTasks(jobId, stage, whole, halves) });
  return true;
}

const rangeOf = ({ spec }: Grant): [number, number] =>
  spec.kind === 'fit' ? [spec.groupBegin, spec.groupEnd] : expect.fail('another kind of task');

describe('halves of a task', () => {
  it('cover its range, and one unit has none', () => {
    expect(halvesOf({ kind: 'scan', rowBegin: 3, rowEnd: 8 })).toEqual([
      { kind: 'scan', rowBegin: 3, rowEnd: 5 },
      { kind: 'scan', rowBegin: 5, rowEnd: 8 },
    ]);
    expect(halvesOf({ kind: 'control', geneBegin: 0, geneEnd: 2 })).toEqual([
      { kind: 'control', geneBegin: 0, geneEnd: 1 },
      { kind: 'control', geneBegin: 1, geneEnd: 2 },
    ]);
    expect(halvesOf({ kind: 'dispersion', groupBegin: 0, groupEnd: 1 })).toBeNull();
    expect(halvesOf({ kind: 'ratios', scan: 1 })).toBeNull();
  });
});

describe('a task that ran out of memory', () => {
  it('is done in halves, in order, and the job succeeds without it', () => {
    const { bench, job } = benchOf(8);
    const whole = must(bench.pull('w'));
    bench.fail(whole, 'ResourceExhausted');
    expect(bench.taskState(job, 0)).toBe('splitting');
    expect(answerSplit(bench)).toBe(true);
    const first = must(bench.pull('w'));
    expect(rangeOf(first)).toEqual([1, 5]);
    bench.fail(first, 'ResourceExhausted');
    answerSplit(bench);
    const rest: [number, number][] = [];
    for (let grant = bench.pull('w'); grant !== null; grant = bench.pull('w')) {
      rest.push(rangeOf(grant));
      bench.complete(grant);
    }
    // The halves of the first half come before the second half.
    expect(rest).toEqual([
      [1, 3],
      [3, 5],
      [5, 9],
    ]);
    expect(bench.jobState(job)).toBe('succeeded');
    expect(bench.state.jobs.get(job)?.finalHistory?.stages[0]).toMatchObject({ tasks: 3, retries: 2 });
  });

  it('fails its job when one unit is too large still, with the story of all that it was a part of', () => {
    const { bench, job } = benchOf(2);
    bench.fail(must(bench.pull('w')), 'ResourceExhausted');
    answerSplit(bench);
    for (let attempt = 1; attempt <= 4; attempt++) bench.fail(must(bench.pull('w')), 'ResourceExhausted');
    const status = bench.state.jobs.get(job)?.status;
    if (status?.state !== 'failed') return expect.fail('the job has not failed');
    expect(status.failure.message).toBe('stage fit failed after 5 attempts: because of ResourceExhausted');
    expect(String(status.failure.details['story']).match(/attempt \d/g)).toHaveLength(5);
  });

  it('is halved eight times at most', () => {
    const { bench, job } = benchOf(100_000);
    let splits = 0;
    for (let grant = bench.pull('w'); bench.jobState(job) === 'running'; grant = bench.pull('w')) {
      bench.fail(must(grant ?? bench.grants.at(-1) ?? null), 'ResourceExhausted');
      if (answerSplit(bench)) splits += 1;
    }
    expect(splits).toBe(8);
    expect(bench.jobState(job)).toBe('failed');
  });

  it('is tried whole when it was the disk that was full', () => {
    const { bench } = benchOf(8);
    bench.fail(must(bench.pull('w')), 'ResourceExhausted', { code: 'ENOSPC' });
    expect(splitOf(bench.latest)).toBeUndefined();
    expect(rangeOf(must(bench.pull('w')))).toEqual([1, 9]);
  });

  it('is tried whole once a later stage was planned from its output', () => {
    const bench = new MachineBench();
    const job = bench.submit('j', THREE_STAGES);
    const [task] = plannedTasks('j', 'scan', 1);
    bench.plan(job, 'scan', [{ ...task, spec: { kind: 'scan', rowBegin: 0, rowEnd: 9 } }]);
    bench.register('w', 0);
    bench.complete(must(bench.pull('w')));
    bench.nowMs += 1;
    const failure = { tag: 'ResultLost', message: 'gone', hint: '', details: { output: task.output } } as const;
    bench.happen({ kind: 'reductionFailed', jobId: job, stage: 'size-factors', failure });
    bench.fail(must(bench.pull('w')), 'ResourceExhausted');
    expect(splitOf(bench.latest)).toBeUndefined();
  });

  it('is tried whole when the planner cannot write the plan, and fails when that happens too often', () => {
    const { bench, job } = benchOf(8);
    for (let round = 0; round < 2; round++) {
      bench.fail(must(bench.pull('w')), 'ResourceExhausted');
      const asked = splitOf(bench.latest) ?? expect.fail('it is not being halved');
      const failure = { tag: 'StorageUnavailable', message: 'no answer', hint: '', details: {} } as const;
      bench.happen({ kind: 'taskSplitFailed', jobId: job, stage: 'fit', taskId: asked.taskId, failure });
    }
    expect(bench.jobState(job)).toBe('failed');
  });

  it('lets a job be cancelled while it is being halved', () => {
    const { bench, job } = benchOf(8);
    bench.fail(must(bench.pull('w')), 'ResourceExhausted');
    const asked = splitOf(bench.latest) ?? expect.fail('it is not being halved');
    bench.cancel(job);
    expect(bench.jobState(job)).toBe('cancelling');
    const halves = splitTasks(job, 'fit', asked.taskId, asked.halves);
    bench.happen({ kind: 'taskSplit', jobId: job, stage: 'fit', taskId: asked.taskId, halves });
    expect(bench.jobState(job)).toBe('cancelled');
    expect(bench.released).toEqual([job]);
  });
});

describe('a task that takes too long', () => {
  it('is taken from its worker and halved, although the worker is well', () => {
    const { bench } = benchOf(8, { taskTimeoutMs: 3_000 });
    const grant = must(bench.pull('w'));
    for (let second = 1; second < 6; second++) {
      bench.nowMs += 500;
      bench.heartbeat('w', grant);
      bench.happen({ kind: 'tick' });
    }
    expect(splitOf(bench.latest)).toBeUndefined();
    bench.nowMs += 500;
    bench.happen({ kind: 'tick' });
    expect(answerSplit(bench)).toBe(true);
    expect(bench.heartbeat('w', grant).abandon).toEqual([grant.taskId]);
    expect(rangeOf(must(bench.pull('w')))).toEqual([1, 5]);
  });
});

describe('a task that costs workers', () => {
  it('is halved when the second one is lost: it may have been killed for the memory', () => {
    const { bench } = benchOf(8);
    must(bench.pull('w'));
    bench.register('w', 0);
    expect(splitOf(bench.latest)).toBeUndefined();
    must(bench.pull('w'));
    bench.register('w', 0);
    expect(answerSplit(bench)).toBe(true);
    expect(rangeOf(must(bench.pull('w')))).toEqual([1, 5]);
  });

  it('fails its job with its story while another job goes on', () => {
    const { bench, job } = benchOf(1);
    const other = bench.submitTasks('other', 2);
    for (let loss = 0; bench.jobState(job) !== 'failed' && loss < 50; loss++) {
      const grant = must(bench.pull('w'));
      if (grant.jobId === other) bench.complete(grant);
      else bench.register('w', 0);
    }
    expect(bench.jobState(job)).toBe('failed');
    const status = bench.state.jobs.get(job)?.status;
    expect(status?.state === 'failed' && String(status.failure.details['story'])).toContain(
      'attempt 10 at w on host-of-w',
    );
    for (let grant = bench.pull('w'); grant !== null; grant = bench.pull('w')) bench.complete(grant);
    expect(bench.jobState(other)).toBe('succeeded');
  });
});

describe('scratch that was lost', () => {
  it('is looked at once, and everything that is missing is made again', () => {
    const bench = new MachineBench();
    const job = bench.submit('j', THREE_STAGES);
    bench.plan(job, 'scan', plannedTasks('j', 'scan', 3));
    bench.register('w', 0);
    for (let i = 0; i < 3; i++) bench.complete(must(bench.pull('w')));
    bench.happen({ kind: 'reductionDone', jobId: job, stage: 'size-factors', report: { warnings: [] } });
    bench.plan(job, 'fit', plannedTasks('j', 'fit', 2));
    bench.nowMs += 1;
    const readers = [must(bench.pull('w')), must(bench.pull('w'))];
    // What none of the tasks makes is gone: the context of the job, say.
    const effects: Effect[] = [];
    for (const reader of readers) {
      bench.fail(reader, 'ResultLost', { output: 'context.bundle' });
      effects.push(...bench.latest);
    }
    const audits = effects.filter(({ kind }) => kind === 'auditScratch');
    expect(audits).toHaveLength(1);
    const sinceMs = bench.nowMs;
    const missing = ['scan/0.bundle', 'scan/2.bundle', 'size-factors.bundle', 'fit/0.bundle'];
    bench.happen({ kind: 'scratchAudited', jobId: job, sinceMs, missing });
    const again = [must(bench.pull('w')), must(bench.pull('w'))];
    expect(again.map(({ output }) => output)).toEqual(['scan/0.bundle', 'scan/2.bundle']);
    for (const grant of again) bench.complete(grant);
    expect(bench.asked('runReduction')).toEqual(['size-factors']);
    bench.happen({ kind: 'reductionDone', jobId: job, stage: 'size-factors', report: { warnings: [] } });
    for (let grant = bench.pull('w'); grant !== null; grant = bench.pull('w')) bench.complete(grant);
    expect(bench.jobState(job)).toBe('succeeded');
    const stories = bench.entries.filter(({ kind }) => kind === 'task-retried');
    expect(stories.map((entry) => entry.taskId)).toEqual([taskId('j/fit/0'), taskId('j/fit/1')]);
  });
});
