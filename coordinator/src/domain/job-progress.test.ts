import { describe, expect, it } from 'vitest';
import { MachineBench, must } from '../testing/machine-bench.js';
import { plannedTasks } from '../testing/scripted-planner.js';
import { viewJob } from './job-view.js';
import type { JobId } from '@shardex/shared/ids';

const view = (bench: MachineBench, job: JobId) => {
  const found = bench.state.jobs.get(job);
  return found === undefined ? expect.fail('no such job') : viewJob(found, bench.nowMs);
};

describe('progress', () => {
  it('counts running tasks by what their workers told', () => {
    const bench = new MachineBench();
    const job = bench.submitTasks('j', 4);
    bench.register('w');
    bench.complete(must(bench.pull('w')));
    const running = must(bench.pull('w'));
    bench.heartbeat('w', running);
    expect(view(bench, job).stages[0]).toMatchObject({
      tasksTotal: 4,
      tasksDone: 1,
      tasksRunning: 1,
      progress: 1.5 / 4,
    });
  });

  it('of a reduction is what it reports, and never goes back', () => {
    const bench = new MachineBench();
    const job = bench.submit('j', [{ name: 'merge', executor: 'coordinator' }]);
    for (const fraction of [0.25, 0.75, 0.5]) {
      bench.happen({ kind: 'reductionProgressed', jobId: job, stage: 'merge', fraction });
    }
    expect(view(bench, job).stages[0].progress).toBe(0.75);
  });
});

describe('the estimate', () => {
  it('takes the rest to go as fast as the work so far, stages weighed by their cost', () => {
    const bench = new MachineBench();
    const job = bench.submit('j', [
      { name: 'scan', executor: 'workers', weight: 1 },
      { name: 'fit', executor: 'workers', weight: 3 },
    ]);
    bench.plan(job, 'scan', plannedTasks('j', 'scan', 2));
    bench.register('w', 0);
    expect(view(bench, job).etaSeconds).toBeNull();
    const first = must(bench.pull('w'));
    expect(view(bench, job).etaSeconds).toBeNull();
    bench.nowMs += 500;
    bench.complete(first);
    // Half of one part in four took half a second: seven more eighths are left.
    expect(view(bench, job).etaSeconds).toBeCloseTo(3.5, 12);
  });

  it('does not exist for a job that waits or has ended', () => {
    const bench = new MachineBench();
    const waiting = bench.submitTasks('a', 1);
    const ended = bench.submitTasks('b', 0);
    expect([view(bench, waiting).etaSeconds, view(bench, ended).etaSeconds]).toEqual([null, null]);
  });
});
