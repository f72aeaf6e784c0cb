import { describe, expect, it } from 'vitest';
import { InvariantBrokenError } from '@shardex/shared/errors';
import { jobId, workerId, type JobId } from '@shardex/shared/ids';
import { MachineBench, must } from '../testing/machine-bench.js';
import { THREE_STAGES, plannedTasks } from '../testing/scripted-planner.js';
import type { StagePlan } from './job-planner-port.js';
import { assertMove } from './job-moves.js';

const failure = (tag: 'StorageUnavailable' | 'InvalidInput' | 'ResultLost' | 'Cancelled', details = {}) => ({
  tag,
  message: `because of ${tag}`,
  hint: '',
  details,
});

describe('stages', () => {
  it('are planned and reduced in order, each when the one before is done', () => {
    const bench = new MachineBench();
    const job = bench.submit('j', THREE_STAGES);
    expect(bench.asked('planStage')).toEqual(['scan']);
    expect(bench.jobState(job)).toBe('queued');
    bench.plan(job, 'scan', plannedTasks('j', 'scan', 1));
    bench.register('w');
    const grant = must(bench.pull('w'));
    expect(bench.jobState(job)).toBe('running');
    bench.complete(grant);
    expect(bench.asked('runReduction')).toEqual(['size-factors']);
    bench.happen({ kind: 'reductionDone', jobId: job, stage: 'size-factors', report: { warnings: ['odd'] } });
    expect(bench.asked('planStage')).toEqual(['fit']);
    bench.plan(job, 'fit', []);
    expect(bench.jobState(job)).toBe('succeeded');
    expect(bench.state.jobs.get(job)?.warnings).toEqual(['odd']);
  });

  it('take tasks that are already done as done', () => {
    const bench = new MachineBench();
    const job = bench.submit('j', [{ name: 'fit', executor: 'workers' }]);
    const report = { output: 'x', bytesRead: 0, bytesWritten: 0, nonzeros: 0, fits: 0, warnings: [] };
    const [first, second] = plannedTasks('j', 'fit', 2);
    bench.plan(job, 'fit', [{ ...first, alreadyDone: report }, second]);
    bench.register('w');
    const grant = must(bench.pull('w'));
    expect(grant.taskId).toBe(second.taskId);
    bench.complete(grant);
    expect(bench.jobState(job)).toBe('succeeded');
    expect(bench.state.jobs.get(job)?.finalHistory?.stages[0]).toMatchObject({
      tasks: 2,
      tasksResumed: 1,
      bytesRead: 1,
    });
  });

  it('try a failed plan or reduction again, and fail the job when it failed too often', () => {
    const bench = new MachineBench({ retryDelayMs: 10 });
    const job = bench.submit('j', [{ name: 'merge', executor: 'coordinator' }]);
    for (let attempt = 1; attempt <= 4; attempt++) {
      bench.happen({ kind: 'reductionFailed', jobId: job, stage: 'merge', failure: failure('StorageUnavailable') });
      if (attempt === 4) break;
      expect(bench.stageState(job, 'merge')).toBe('waiting');
      bench.pass(100);
      expect(bench.stageState(job, 'merge')).toBe('reducing');
    }
    expect(bench.jobState(job)).toBe('failed');
    expect(bench.released).toEqual([job]);
    expect(bench.entries.at(-1)?.text).toBe('stage merge failed after 4 attempts: because of StorageUnavailable');
  });

  it('fail the job at once when planning finds bad input', () => {
    const bench = new MachineBench();
    const job = bench.submit('j', THREE_STAGES);
    bench.happen({ kind: 'stagePlanFailed', jobId: job, stage: 'scan', failure: failure('InvalidInput') });
    expect(bench.jobState(job)).toBe('failed');
    expect(bench.stageState(job, 'fit')).toBe('stopped');
  });

  it('run a task again whose output is lost, before anything else of later stages', () => {
    const bench = new MachineBench();
    const job = bench.submit('j', THREE_STAGES);
    bench.plan(job, 'scan', plannedTasks('j', 'scan', 2));
    bench.register('w', 0);
    bench.complete(must(bench.pull('w')));
    bench.complete(must(bench.pull('w')));
    bench.happen({ kind: 'reductionDone', jobId: job, stage: 'size-factors', report: { warnings: [] } });
    bench.plan(job, 'fit', plannedTasks('j', 'fit', 2));
    bench.nowMs += 1;
    const reader = must(bench.pull('w'));
    const alsoReader = must(bench.pull('w'));
    bench.fail(reader, 'ResultLost', { output: 'scan/1.bundle' });
    expect(bench.stageState(job, 'scan')).toBe('running');
    const remake = must(bench.pull('w'));
    expect(remake).toMatchObject({ output: 'scan/1.bundle', attempt: 2 });
    expect(bench.pull('w')).toBeNull();
    bench.nowMs += 1;
    bench.complete(remake);
    // The waiting pull got the reader's next attempt; a late complaint about the old output does not remake it again.
    expect(bench.grants.at(-1)).toMatchObject({ output: 'fit/0.bundle', attempt: 2 });
    bench.fail(alsoReader, 'ResultLost', { output: 'scan/1.bundle' });
    expect(bench.stageState(job, 'scan')).toBe('done');
    expect(bench.state.jobs.get(job)?.stages[0].retries).toBe(1);
  });

  it('run a reduction again whose output is lost', () => {
    const bench = new MachineBench();
    const job = bench.submit('j', THREE_STAGES);
    bench.plan(job, 'scan', []);
    bench.happen({ kind: 'reductionDone', jobId: job, stage: 'size-factors', report: { warnings: [] } });
    bench.plan(job, 'fit', plannedTasks('j', 'fit', 1));
    bench.register('w');
    bench.nowMs += 1;
    bench.fail(must(bench.pull('w')), 'ResultLost', { output: 'size-factors.bundle' });
    expect(bench.asked('runReduction')).toEqual(['size-factors']);
    expect(bench.pull('w')).toBeNull();
    bench.happen({ kind: 'reductionDone', jobId: job, stage: 'size-factors', report: { warnings: [] } });
    expect(bench.grants.at(-1)).toMatchObject({ output: 'fit/0.bundle', attempt: 2 });
  });

  it('give up on an output that is lost again and again', () => {
    const bench = new MachineBench({ maxFreeFailures: 3 });
    const job = bench.submit('j', THREE_STAGES);
    bench.plan(job, 'scan', plannedTasks('j', 'scan', 1));
    bench.register('w');
    for (let round = 0; round < 3; round++) {
      bench.nowMs += 1;
      bench.complete(must(bench.pull('w')));
      bench.nowMs += 1;
      const lost = failure('ResultLost', { output: 'scan/0.bundle' });
      bench.happen({ kind: 'reductionFailed', jobId: job, stage: 'size-factors', failure: lost });
    }
    expect(bench.jobState(job)).toBe('failed');
  });
});

describe('attempts', () => {
  it('that fail for a reason of their own are counted, and the fourth failure is the last', () => {
    const bench = new MachineBench();
    const job = bench.submitTasks('j', 2);
    bench.register('w');
    const other = must(bench.pull('w'));
    for (let attempt = 1; attempt <= 4; attempt++) bench.fail(must(bench.pull('w')), 'ResourceExhausted');
    expect(bench.jobState(job)).toBe('failed');
    expect(bench.taskState(job, 1)).toBe('failed');
    expect(bench.taskState(job, 0)).toBe('abandoned');
    const status = bench.state.jobs.get(job)?.status;
    if (status?.state !== 'failed') return expect.fail('the job has not failed');
    expect(status.failure.message).toBe('stage fit failed after 4 attempts: because of ResourceExhausted');
    expect(String(status.failure.details['story']).split('\n')).toHaveLength(5);
    expect(bench.fail(other, 'Cancelled')).toBe(false);
    expect(bench.released).toEqual([job]);
  });

  it('that fail for good fail the job at once', () => {
    const bench = new MachineBench();
    const job = bench.submitTasks('j', 1);
    bench.register('w');
    bench.fail(must(bench.pull('w')), 'CorruptData');
    expect(bench.jobState(job)).toBe('failed');
  });

  it('wait longer after each failure', () => {
    const bench = new MachineBench({ retryDelayMs: 100 });
    bench.submitTasks('j', 1);
    bench.register('w');
    bench.fail(must(bench.pull('w')), 'StorageUnavailable');
    expect(bench.pull('w')).toBeNull();
    bench.pass(100);
    bench.fail(must(bench.grants.at(-1) ?? null), 'StorageUnavailable');
    bench.pull('w');
    bench.pass(100);
    expect(bench.grants).toHaveLength(2);
    bench.pass(100);
    expect(bench.grants).toHaveLength(3);
  });

  it('go to another worker than the one where the last one failed, if there is another', () => {
    const bench = new MachineBench();
    bench.submitTasks('j', 1);
    bench.register('a');
    bench.register('b');
    bench.fail(must(bench.pull('a')), 'ResourceExhausted');
    expect(bench.pull('a')).toBeNull();
    expect(bench.pull('b')).toMatchObject({ attempt: 2 });
  });

  it('at the same worker are better than none', () => {
    const bench = new MachineBench();
    bench.submitTasks('j', 1);
    bench.register('a');
    bench.fail(must(bench.pull('a')), 'ResourceExhausted');
    expect(bench.pull('a')).toMatchObject({ attempt: 2 });
  });

  it('are not counted when the worker was lost, up to a generous limit', () => {
    const bench = new MachineBench();
    const job = bench.submitTasks('j', 1);
    for (let round = 1; round <= 10; round++) {
      bench.register(`w${round}`);
      must(bench.pull(`w${round}`));
      bench.pass(1_100);
    }
    expect(bench.jobState(job)).toBe('failed');
    expect(bench.kinds().filter((kind) => kind === 'worker-lost')).toHaveLength(10);
  });

  it('given back by workers that drain are not limited', () => {
    const bench = new MachineBench();
    const job = bench.submitTasks('j', 1);
    for (let round = 1; round <= 30; round++) {
      bench.register('w');
      must(bench.pull('w'));
      bench.happen({ kind: 'workerDrained', workerId: workerId('w'), reason: 'rolling restart' });
    }
    expect(bench.jobState(job)).toBe('running');
    expect(bench.state.jobs.get(job)?.stages[0].retries).toBe(0);
  });

  it('that are stale change nothing, and are logged', () => {
    const bench = new MachineBench();
    const job = bench.submitTasks('j', 1);
    bench.register('a');
    const stale = must(bench.pull('a'));
    bench.pass(1_100);
    bench.register('b');
    const current = must(bench.pull('b'));
    expect(bench.complete(stale)).toBe(false);
    expect(bench.fail(stale, 'CorruptData')).toBe(false);
    expect(bench.taskState(job, 0)).toBe('leased');
    expect(bench.kinds().filter((kind) => kind === 'stale-report')).toHaveLength(2);
    expect(bench.complete(current)).toBe(true);
    expect(bench.complete(current)).toBe(false);
    expect(bench.jobState(job)).toBe('succeeded');
  });
});

describe('leases', () => {
  it('last as long as heartbeats name them', () => {
    const bench = new MachineBench();
    bench.submitTasks('j', 2);
    bench.register('w');
    const named = must(bench.pull('w'));
    const unnamed = must(bench.pull('w'));
    for (let beat = 0; beat < 5; beat++) {
      bench.pass(400);
      bench.heartbeat('w', named);
    }
    expect(bench.complete(named)).toBe(true);
    expect(bench.complete(unnamed)).toBe(false);
  });

  it('do not run out because the coordinator stood still', () => {
    const bench = new MachineBench();
    bench.submitTasks('j', 1);
    bench.register('w');
    const grant = must(bench.pull('w'));
    bench.happen({ kind: 'tick' });
    bench.nowMs += 60_000;
    bench.happen({ kind: 'tick' });
    expect(bench.kinds()).toContain('clock-paused');
    expect(bench.heartbeat('w', grant)).toMatchObject({ abandon: [], unknownWorker: false });
    expect(bench.complete(grant)).toBe(true);
  });

  it('come back when the grant cannot be delivered', () => {
    const bench = new MachineBench();
    bench.submitTasks('j', 1);
    bench.register('w');
    const { workerId: owner, taskId, attempt } = must(bench.pull('w'));
    bench.happen({ kind: 'grantUndelivered', workerId: owner, taskId, attempt });
    expect(bench.pull('w')).toMatchObject({ taskId, attempt: 2 });
  });
});

describe('workers', () => {
  it('that wait are given work as soon as there is some, the longest waiting first', () => {
    const bench = new MachineBench();
    bench.register('a');
    bench.register('b');
    bench.pull('b');
    bench.pull('a');
    bench.submitTasks('j', 1);
    expect(bench.grants.map((grant) => grant.workerId)).toEqual(['b']);
    expect(bench.state.pulls.size).toBe(1);
  });

  it('without enough memory are passed over while another has more', () => {
    const bench = new MachineBench();
    bench.register('small', 10);
    bench.register('large', 50);
    bench.submitTasks('j', 3, 20);
    expect(bench.pull('small')).toBeNull();
    expect(bench.pull('large')).toMatchObject({ attempt: 1 });
    expect(bench.pull('large')).toMatchObject({ attempt: 1 });
    // Two tasks of 20 leave 10.
    expect(bench.pull('large')).toBeNull();
  });

  it('get a task that is too large for everyone when they are the largest and idle', () => {
    const bench = new MachineBench();
    bench.register('small', 10);
    bench.register('large', 15);
    bench.submitTasks('j', 2, 20);
    expect(bench.pull('small')).toBeNull();
    expect(bench.pull('large')).not.toBeNull();
    expect(bench.pull('large')).toBeNull();
  });

  it('that are unknown are refused', () => {
    const bench = new MachineBench();
    expect(bench.pull('nobody')).toBeNull();
    expect(bench.refused).toEqual([1]);
    expect(bench.heartbeat('nobody')).toMatchObject({ unknownWorker: true });
  });

  it('that drain have their pulls refused and their tasks given to others', () => {
    const bench = new MachineBench();
    bench.submitTasks('j', 1);
    bench.register('a');
    const held = must(bench.pull('a'));
    bench.pull('a');
    bench.happen({ kind: 'workerDrained', workerId: workerId('a'), reason: 'bye' });
    expect(bench.refused).toEqual([2]);
    bench.register('b');
    expect(bench.pull('b')).toMatchObject({ taskId: held.taskId, attempt: 2 });
  });
});

describe('jobs', () => {
  it('share the workers fairly, each in its own order', () => {
    const bench = new MachineBench();
    bench.submitTasks('long', 100);
    bench.register('w', 0);
    for (let n = 0; n < 4; n++) bench.pull('w');
    bench.submitTasks('short', 4);
    for (let n = 0; n < 6; n++) bench.pull('w');
    expect(bench.grants.slice(4).map((grant) => grant.taskId)).toEqual([
      'short/fit/0',
      'short/fit/1',
      'short/fit/2',
      'short/fit/3',
      'long/fit/4',
      'long/fit/5',
    ]);
  });

  it('are cancelled at once when nobody is on them', () => {
    const bench = new MachineBench();
    const job = bench.submitTasks('j', 3);
    bench.cancel(job);
    expect(bench.jobState(job)).toBe('cancelled');
    bench.register('w');
    expect(bench.pull('w')).toBeNull();
  });

  it('are cancelled when their workers have let go, or their leases have run out', () => {
    const bench = new MachineBench();
    const job = bench.submitTasks('j', 4);
    for (const worker of ['a', 'b', 'c', 'd']) bench.register(worker);
    const [a, b] = [must(bench.pull('a')), must(bench.pull('b'))];
    must(bench.pull('c'));
    must(bench.pull('d'));
    bench.heartbeat('b', b);
    bench.cancel(job);
    expect(bench.heartbeat('a', a).abandon).toEqual([a.taskId]);
    expect(bench.complete(a)).toBe(false);
    // b named its task before and does not now.
    bench.heartbeat('b');
    expect(bench.taskState(job, 1)).toBe('dropped');
    bench.heartbeat('c');
    bench.happen({ kind: 'workerDrained', workerId: workerId('c'), reason: 'bye' });
    expect(bench.jobState(job)).toBe('cancelling');
    bench.pass(500);
    bench.heartbeat('d');
    bench.pass(600);
    expect(bench.jobState(job)).toBe('cancelled');
    expect(bench.released).toEqual([job]);
  });

  it('wait for a reduction to end before they are cancelled', () => {
    const bench = new MachineBench();
    const job = bench.submit('j', [{ name: 'merge', executor: 'coordinator' }]);
    bench.cancel(job);
    expect(bench.latest.map((effect) => effect.kind)).toContain('abortWork');
    expect(bench.jobState(job)).toBe('cancelling');
    bench.happen({ kind: 'reductionFailed', jobId: job, stage: 'merge', failure: failure('Cancelled') });
    expect(bench.jobState(job)).toBe('cancelled');
  });

  it('have succeeded when their last reduction was done all the same', () => {
    const bench = new MachineBench();
    const stages = (['trend', 'merge'] as const).map((name): StagePlan => ({ name, executor: 'coordinator' }));
    const done = (job: JobId, stage: string): unknown =>
      bench.happen({ kind: 'reductionDone', jobId: job, stage, report: { warnings: [`of ${stage}`] } });
    const [late, early] = [bench.submit('late', stages), bench.submit('early', stages)];
    done(late, 'trend');
    for (const job of [late, early]) bench.cancel(job);
    done(late, 'merge');
    expect(bench.jobState(late)).toBe('succeeded');
    expect(bench.state.jobs.get(late)?.warnings).toEqual(['of trend', 'of merge']);
    done(early, 'trend');
    expect(bench.jobState(early)).toBe('cancelled');
    expect(bench.released).toEqual([late, early]);
  });

  it('that have ended stay as they are', () => {
    const bench = new MachineBench();
    const job = bench.submitTasks('j', 0);
    bench.cancel(job);
    expect(bench.jobState(job)).toBe('succeeded');
  });

  it('that ended long ago are forgotten', () => {
    const bench = new MachineBench({ endedJobsKept: 2 });
    const jobs = ['a', 'b', 'c'].map((id) => bench.submitTasks(id, 0));
    bench.pass(100);
    expect(jobs.map((job) => bench.jobState(job))).toEqual(['forgotten', 'succeeded', 'succeeded']);
  });

  it('submitted twice under one id, or answered for without having been asked, are a bug', () => {
    const bench = new MachineBench();
    bench.submit('j', THREE_STAGES);
    expect(() => bench.submit('j', THREE_STAGES)).toThrow(InvariantBrokenError);
    const stray = { kind: 'stagePlanned', jobId: jobId('none'), stage: 'scan', tasks: [] } as const;
    expect(() => bench.happen(stray)).toThrow(InvariantBrokenError);
  });
});

describe('moves', () => {
  it('that are not in the table are a bug, told with the story', () => {
    expect(() => assertMove('task', 'done', 'leased', () => 'the whole story')).toThrow(
      /done to leased; the whole story/,
    );
  });
});
