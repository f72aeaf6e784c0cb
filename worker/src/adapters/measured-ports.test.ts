import { DeadlineExceededError, StorageUnavailableError } from '@shardex/shared/errors';
import { jobId, taskId, workerId } from '@shardex/shared/ids';
import { expect, it } from 'vitest';
import type { HeldTask, TaskOutcome } from '../domain/index.js';
import type { CoordinatorPort } from './coordinator-port.js';
import { measureCoordinator, measureRunner } from './measured-ports.js';
import { createWorkerMetrics } from './worker-metrics.js';

const freshMetrics = () => createWorkerMetrics({ version: '0', threads: 1, memoryBytes: 1, usableMemoryBytes: 1 });

it('counts calls to the coordinator by how they went, and hands on what they gave', async () => {
  const metrics = freshMetrics();
  let nowMs = 10_000;
  const answers: (() => Promise<{ unknownWorker: boolean; abandon: [] }>)[] = [
    async () => ({ unknownWorker: false, abandon: [] }),
    async () => Promise.reject(new DeadlineExceededError('no answer')),
  ];
  const coordinator = {
    address: 'here:1',
    heartbeat: () => {
      nowMs += 2_000;
      return answers.shift()!();
    },
  } as Partial<CoordinatorPort> as CoordinatorPort;
  const measured = measureCoordinator(coordinator, metrics, () => nowMs);
  expect(await measured.heartbeat(workerId('w'), [], 1)).toEqual({ unknownWorker: false, abandon: [] });
  await expect(measured.heartbeat(workerId('w'), [], 1)).rejects.toMatchObject({ tag: 'DeadlineExceeded' });
  const { text } = await metrics.expose();
  expect(text).toContain('shardex_worker_calls_total{call="heartbeat",outcome="answered"} 1');
  expect(text).toContain('shardex_worker_calls_total{call="heartbeat",outcome="DeadlineExceeded"} 1');
  expect(text).toContain('shardex_worker_call_duration_seconds_sum{call="heartbeat"} 4');
  expect(text).toContain('shardex_worker_last_contact_timestamp_seconds 12');
});

it('counts attempts by how they ended', async () => {
  const metrics = freshMetrics();
  const report = { output: 'o', bytesRead: 3, bytesWritten: 2, nonzeros: 5, fits: 4, warnings: [] };
  const outcomes: TaskOutcome[] = [
    { kind: 'completed', report: { ...report, wallMs: 1_500, peakResidentBytes: 1 } },
    { kind: 'failed', error: new StorageUnavailableError('away') },
  ];
  const runner = measureRunner(
    { run: async () => outcomes.shift()!, abandon: () => undefined, close: async () => undefined },
    metrics,
  );
  const task = { jobId: jobId('j'), taskId: taskId('t'), attempt: 1, stage: 'fit' } as Partial<HeldTask> as HeldTask;
  for (const kind of ['completed', 'failed']) expect(await runner.run(task, () => undefined)).toMatchObject({ kind });
  const { text } = await metrics.expose();
  expect(text).toContain('shardex_worker_tasks_total{stage="fit",outcome="completed"} 1');
  expect(text).toContain('shardex_worker_tasks_total{stage="fit",outcome="failed"} 1');
  expect(text).toContain('shardex_worker_task_failures_total{reason="StorageUnavailable"} 1');
  expect(text).toContain('shardex_worker_read_bytes_total{stage="fit"} 3');
  expect(text).toContain('shardex_worker_fits_total 4');
  expect(text).toContain('shardex_worker_task_duration_seconds_sum{stage="fit"} 1.5');
});
