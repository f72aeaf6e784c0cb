import { expect, it } from 'vitest';
import type { WorkerPhase } from '../domain/index.js';
import { serveHealth } from './health-server.js';

it('is healthy while it lives and ready while it takes tasks', async () => {
  let phase: WorkerPhase = 'INITIALISED';
  const health = await serveHealth(0, () => ({ phase, leases: 0, residentBytes: 1 }));
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
  const first = await serveHealth(0, status);
  await expect(serveHealth(first.port, status)).rejects.toMatchObject({
    tag: 'InvalidInput',
    message: `port ${first.port} is in use`,
  });
  first.close();
});
