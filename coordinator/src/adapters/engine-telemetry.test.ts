import { describe, expect, it } from 'vitest';
import { MachineBench } from '../testing/machine-bench.js';
import { createCoordinatorMetrics } from './coordinator-metrics.js';
import { countEntry, setGauges } from './engine-telemetry.js';
import { StallWatch } from './stall-watch.js';

const LEASE_MS = 1_000;

/** What a coordinator would expose of a bench's machine and its story. */
async function exposed(bench: MachineBench): Promise<string> {
  const metrics = createCoordinatorMetrics('0', 1);
  for (const entry of bench.entries) {
    countEntry(metrics, entry, entry.jobId === undefined ? undefined : bench.state.jobs.get(entry.jobId));
  }
  setGauges(metrics, bench.state, bench.nowMs);
  return (await metrics.expose()).text;
}

describe('the figures of a coordinator', () => {
  it('tell what waits, what is leased and how long a worker has been silent', async () => {
    const bench = new MachineBench({ leaseMs: LEASE_MS });
    bench.submitTasks('j', 3);
    bench.register('w');
    bench.pull('w');
    bench.nowMs += 400;
    const text = await exposed(bench);
    expect(text).toContain('shardex_queue_depth 2');
    expect(text).toContain('shardex_tasks_active{stage="fit",state="ready"} 2');
    expect(text).toContain('shardex_tasks_active{stage="fit",state="leased"} 1');
    expect(text).toContain('shardex_stages_active{stage="fit",state="running"} 1');
    expect(text).toContain('shardex_jobs_active{state="running"} 1');
    expect(text).toContain('shardex_worker_silence_seconds 0.4');
    expect(text).toContain('shardex_lease_seconds 1');
  });

  it('count lost workers and retries by their reason', async () => {
    const bench = new MachineBench({ leaseMs: LEASE_MS });
    bench.submitTasks('j', 1);
    bench.register('w');
    bench.pull('w');
    // Short steps: a clock that jumps is taken for a coordinator that stood still.
    for (let step = 0; step < 30; step++) {
      bench.nowMs += LEASE_MS / 20;
      bench.happen({ kind: 'tick' });
    }
    const text = await exposed(bench);
    expect(text).toContain('shardex_workers_lost_total 1');
    expect(text).toContain('shardex_task_retries_total{reason="WorkerLost"} 1');
    expect(text).toContain('shardex_tasks_total{stage="fit",state="retried"} 1');
    expect(text).toContain('shardex_workers 0');
    expect(text).toContain('shardex_worker_silence_seconds 0');
    expect(text).toContain('shardex_queue_depth 1');
  });

  it('count attempts that were begun beside a late one, and which of the two was done first', async () => {
    const bench = new MachineBench({ leaseMs: 20_000, workerTimeoutMs: 20_000 });
    bench.submitTasks('j', 2);
    bench.register('slow');
    bench.register('quick');
    bench.pull('slow');
    bench.complete(bench.pull('quick')!);
    bench.pull('quick');
    for (let step = 0; step < 6; step++) {
      bench.nowMs += 1_000;
      bench.happen({ kind: 'tick' });
    }
    bench.complete(bench.grants.at(-1)!);
    const text = await exposed(bench);
    expect(text).toContain('shardex_tasks_total{stage="fit",state="granted"} 3');
    expect(text).toContain('shardex_tasks_total{stage="fit",state="doubled"} 1');
    expect(text).toContain('shardex_tasks_total{stage="fit",state="outrun"} 1');
    expect(text).toContain('shardex_tasks_total{stage="fit",state="done"} 2');
  });

  it('hold the duration and the traffic of what succeeded', async () => {
    const bench = new MachineBench({ leaseMs: LEASE_MS });
    bench.submitTasks('j', 1);
    bench.register('w');
    const grant = bench.pull('w');
    bench.nowMs += 700;
    const { workerId, taskId, attempt, output } = grant!;
    const report = { output, bytesRead: 10, bytesWritten: 5, nonzeros: 7, fits: 2, warnings: [], wallMs: 600 };
    bench.happen({ kind: 'taskCompleted', workerId, taskId, attempt, report: { ...report, peakResidentBytes: 1 } });
    const text = await exposed(bench);
    expect(text).toContain('shardex_jobs_total{state="succeeded"} 1');
    expect(text).toContain('shardex_job_duration_seconds_sum{state="succeeded"} 0.7');
    expect(text).toContain('shardex_stage_duration_seconds_sum{stage="fit"} 0.7');
    expect(text).toContain('shardex_task_duration_seconds_sum{stage="fit"} 0.6');
    expect(text).toContain('shardex_read_bytes_total{role="scratch",store="file"} 10');
    expect(text).toContain('shardex_written_bytes_total{role="scratch",store="file"} 5');
    expect(text).toContain('shardex_nonzeros_total 7');
    expect(text).toContain('shardex_fits_total 2');
    expect(text).toContain('shardex_jobs_active{state="running"} 0');
  });

  it('have labels of few values: no identifier ever becomes one', async () => {
    const bench = new MachineBench();
    for (let job = 0; job < 5; job++) bench.submitTasks(`job-${job}`, 2);
    bench.register('some-worker');
    bench.pull('some-worker');
    const text = await exposed(bench);
    expect(text).not.toMatch(/job-\d|some-worker/);
  });
});

describe('the watch for stalls', () => {
  it('counts from the last progress of the job that has waited the longest', () => {
    const bench = new MachineBench();
    const watch = new StallWatch();
    const look = (atMs: number): number => {
      watch.look(bench.state.jobs.values(), atMs);
      return watch.longestStallMs(atMs);
    };
    expect(look(0)).toBe(0);
    bench.submitTasks('a', 2);
    bench.register('w');
    const grant = bench.pull('w')!;
    look(1_000);
    expect(look(5_000)).toBe(4_000);
    const { workerId, taskId, attempt } = grant;
    bench.happen({ kind: 'heartbeat', workerId, progress: [{ taskId, attempt, fraction: 0.5 }], residentBytes: 1 });
    expect(look(6_000)).toBe(0);
    expect(look(9_000)).toBe(3_000);
    bench.happen({ kind: 'cancelRequested', jobId: grant.jobId, reason: 'enough' });
    bench.happen({ kind: 'heartbeat', workerId, progress: [], residentBytes: 1 });
    expect(look(20_000)).toBe(0);
  });
});
