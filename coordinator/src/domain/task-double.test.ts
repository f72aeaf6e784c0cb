import { describe, expect, it } from 'vitest';
import { workerId, type JobId } from '@shardex/shared/ids';
import { MachineBench, must } from '../testing/machine-bench.js';
import { plannedTasks, splitTasks } from '../testing/scripted-planner.js';
import type { Grant, MachineOptions } from './index.js';

interface Late {
  readonly bench: MachineBench;
  readonly job: JobId;
  /** The attempt that takes too long, at worker `slow`. */
  readonly first: Grant;
}

/**
 * A job of three tasks of which `quick` did two in a second each, while `slow` is at the other one. Nobody is silent:
 * heartbeats come with every tick.
 *
 * @param work - of the task that `slow` has
 */
function lateTask(options: Partial<MachineOptions> = {}, work = 1): Late {
  const bench = new MachineBench({ leaseMs: 20_000, workerTimeoutMs: 20_000, ...options });
  const job = bench.submit('j', [{ name: 'fit', executor: 'workers' }]);
  const [large, ...others] = plannedTasks('j', 'fit', 3, 1);
  bench.plan(job, 'fit', [{ ...large, spec: { kind: 'fit', groupBegin: 1, groupEnd: 9 }, work }, ...others]);
  bench.register('slow');
  bench.register('quick');
  const first = must(bench.pull('slow'));
  for (let n = 0; n < 2; n++) {
    const grant = must(bench.pull('quick'));
    bench.nowMs += 1_000;
    bench.complete(grant);
  }
  return { bench, job, first };
}

/** Time passes, and the worker of `first` tells how far it is. */
function wait({ bench, first }: Late, ms: number, fraction = 0.1): void {
  for (let left = ms; left > 0; left -= 500) {
    bench.nowMs += Math.min(500, left);
    const progress = [{ taskId: first.taskId, attempt: first.attempt, fraction }];
    bench.happen({ kind: 'heartbeat', workerId: first.workerId, progress, residentBytes: 1 });
    bench.happen({ kind: 'tick' });
  }
}

/** The second attempt at the late task. */
function doubled(late: Late): Grant {
  expect(late.bench.pull('quick')).toBeNull();
  wait(late, 4_000);
  return must(late.bench.grants.find(({ attempt }) => attempt === 2) ?? null);
}

describe('a task that takes much longer than others did', () => {
  it('is given to a second worker that waits, and the one that is done first counts', () => {
    const late = lateTask();
    const { bench, job, first } = late;
    const second = doubled(late);
    expect(second).toMatchObject({ taskId: first.taskId, output: first.output, workerId: 'quick' });
    expect(bench.entries.find(({ kind }) => kind === 'task-doubled')).toMatchObject({
      workerId: 'slow',
      attempt: 1,
      text: '5.0 s and not done, where 1.0 s were expected',
    });
    expect(bench.complete(second)).toBe(true);
    expect(bench.jobState(job)).toBe('succeeded');
    expect(bench.entries.find(({ kind }) => kind === 'task-outrun')).toMatchObject({ workerId: 'slow', attempt: 1 });
    expect(bench.heartbeat('slow', first).abandon).toEqual([first.taskId]);
    expect(bench.complete(first)).toBe(false);
    const { stages, workers } = bench.state.jobs.get(job)?.finalHistory ?? expect.fail('the job goes on');
    expect(stages[0]).toMatchObject({ tasks: 3, retries: 0 });
    expect(workers.map(({ workerId: id, tasks, failures }) => [id, tasks, failures])).toEqual([
      ['quick', 3, 0],
      ['slow', 0, 0],
    ]);
  });

  it('may be done by the first worker after all', () => {
    const late = lateTask();
    const { bench, job, first } = late;
    const second = doubled(late);
    expect(bench.complete(first)).toBe(true);
    expect(bench.complete(second)).toBe(false);
    expect(bench.jobState(job)).toBe('succeeded');
  });

  it('is left alone for the first seconds, or when nobody waits, or when it was planned so large', () => {
    const soon = lateTask();
    soon.bench.pull('quick');
    wait(soon, 2_500);
    const alone = lateTask();
    wait(alone, 60_000);
    const large = lateTask({}, 10);
    large.bench.pull('quick');
    wait(large, 17_500);
    for (const { bench } of [soon, alone, large]) expect(bench.kinds()).not.toContain('task-doubled');
    wait(large, 1_000);
    expect(large.bench.kinds()).toContain('task-doubled');
  });

  it('is left alone when it is sooner done than begun again, unless its worker has fallen silent or says so for long', () => {
    const nearly = lateTask();
    nearly.bench.pull('quick');
    wait(nearly, 5_500, 0.95);
    expect(nearly.bench.kinds()).not.toContain('task-doubled');
    const silent = lateTask({ heartbeatMs: 500 });
    silent.bench.pull('quick');
    wait(silent, 500, 0.95);
    silent.bench.pass(4_000);
    expect(silent.bench.kinds()).toContain('task-doubled');
    wait(nearly, 3_000, 0.95);
    expect(nearly.bench.kinds()).toContain('task-doubled');
  });

  it('is left alone while there is anything else to do', () => {
    const bench = new MachineBench({ leaseMs: 60_000, workerTimeoutMs: 60_000 });
    const job = bench.submit('j', [{ name: 'fit', executor: 'workers' }]);
    bench.plan(job, 'fit', plannedTasks('j', 'fit', 3, 1));
    bench.register('slow');
    bench.register('quick');
    must(bench.pull('slow'));
    bench.complete(must(bench.pull('quick')));
    bench.nowMs += 30_000;
    bench.happen({ kind: 'tick' });
    expect(bench.pull('quick')).toMatchObject({ taskId: 'j/fit/2', attempt: 1 });
  });

  it('is never given to the worker that has it, nor to one without the memory', () => {
    const late = lateTask();
    late.bench.pull('slow');
    late.bench.register('small', 0.5);
    late.bench.pull('small');
    wait(late, 30_000);
    expect(late.bench.kinds()).not.toContain('task-doubled');
  });

  it('is given away twice at most, however often second attempts fail, and none of that is counted', () => {
    const late = lateTask({ maxAttempts: 1, maxFreeFailures: 1 });
    const { bench, job, first } = late;
    bench.fail(doubled(late), 'CorruptData');
    expect(bench.entries.at(-1)).toMatchObject({ kind: 'double-lost', reason: 'CorruptData', attempt: 2 });
    bench.pull('quick');
    wait(late, 500);
    bench.happen({ kind: 'workerDrained', workerId: workerId('quick'), reason: 'bye' });
    bench.register('quick');
    bench.pull('quick');
    wait(late, 30_000);
    expect(bench.grants.filter(({ taskId }) => taskId === first.taskId)).toHaveLength(3);
    expect(bench.jobState(job)).toBe('running');
    expect(bench.complete(first)).toBe(true);
    expect(bench.jobState(job)).toBe('succeeded');
  });

  it('goes on with the second attempt when the first is lost, and is not halved for it', () => {
    const late = lateTask();
    const { bench, job, first } = late;
    const second = doubled(late);
    bench.fail(first, 'ResourceExhausted');
    expect(bench.taskState(job, 0)).toBe('leased');
    expect(bench.entries.at(-1)).toMatchObject({ kind: 'task-retried', attempt: 1 });
    // What is left is an attempt like any other: its failure is the task's.
    bench.fail(second, 'ResourceExhausted');
    const asked = bench.latest.find((effect) => effect.kind === 'splitTask') ?? expect.fail('it is not halved');
    const halves = splitTasks(job, 'fit', asked.taskId, asked.halves);
    bench.happen({ kind: 'taskSplit', jobId: job, stage: 'fit', taskId: asked.taskId, halves });
    for (let grant = bench.pull('slow'); grant !== null; grant = bench.pull('slow')) bench.complete(grant);
    expect(bench.jobState(job)).toBe('succeeded');
  });

  it('fails its job when the first attempt says that it cannot be done', () => {
    const late = lateTask();
    const { bench, job, first } = late;
    const second = doubled(late);
    bench.fail(first, 'CorruptData');
    expect(bench.jobState(job)).toBe('failed');
    expect(bench.released).toEqual([job]);
    expect(bench.heartbeat('quick', second).abandon).toEqual([second.taskId]);
  });

  it('of a job that is cancelled is waited for until both workers have let go', () => {
    const late = lateTask();
    const { bench, job, first } = late;
    const second = doubled(late);
    bench.cancel(job);
    expect(bench.jobState(job)).toBe('cancelling');
    expect(bench.fail(first, 'Cancelled')).toBe(false);
    expect(bench.taskState(job, 0)).toBe('abandoned');
    expect(bench.complete(second)).toBe(false);
    expect(bench.jobState(job)).toBe('cancelled');
  });
});
