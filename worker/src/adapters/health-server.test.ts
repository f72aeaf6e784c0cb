import { expect, it } from 'vitest';
import type { WorkerPhase } from '../domain/index.js';
import { serveHealth } from './health-server.js';
import { createWorkerMetrics, setWorkerGauges } from './worker-metrics.js';

const metrics = createWorkerMetrics({ version: '0', threads: 2, memoryBytes: 3, usableMemoryBytes: 4 });

it('is healthy while it lives and ready while it takes tasks', async () => {
  let phase: WorkerPhase = 'INITIALISED';
  const health = await serveHealth('127.0.0.1', 0, () => ({ phase, leases: 0, residentBytes: 1 }), metrics);
  const statusOf = async (path: string): Promise<number> =>
    (await fetch(`http://127.0.0.1:${health.port}${path}`)).status;
  expect([await statusOf('/healthz'), await statusOf('/readyz'), await statusOf('/else')]).toEqual([200, 503, 404]);
  phase = 'RUNNING';
  expect([await statusOf('/healthz'), await statusOf('/readyz')]).toEqual([200, 200]);
  phase = 'DRAINING';
  expect([await statusOf('/healthz'), await statusOf('/readyz')]).toEqual([200, 503]);
  health.close();
});

it('says which port is taken', async () => {
  const status = () => ({ phase: 'RUNNING', leases: 0, residentBytes: 1 }) as const;
  const first = await serveHealth('127.0.0.1', 0, status, metrics);
  await expect(serveHealth('127.0.0.1', first.port, status, metrics)).rejects.toMatchObject({
    tag: 'InvalidInput',
    message: `port ${first.port} is in use`,
  });
  first.close();
});

it('exposes its metrics, with the phase as it is when they are read', async () => {
  let phase: WorkerPhase = 'RUNNING';
  metrics.beforeExpose(() => setWorkerGauges(metrics, phase, 1));
  const health = await serveHealth('127.0.0.1', 0, () => ({ phase, leases: 1, residentBytes: 1 }), metrics);
  const read = async (): Promise<string> => (await fetch(`http://127.0.0.1:${health.port}/metrics`)).text();
  expect(await read()).toContain('shardex_worker_phase{phase="RUNNING"} 1');
  phase = 'DRAINING';
  const text = await read();
  expect(text).toContain('shardex_worker_phase{phase="RUNNING"} 0');
  expect(text).toContain('shardex_worker_phase{phase="DRAINING"} 1');
  expect(text).toContain('shardex_worker_threads 2');
  health.close();
});
