import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InvalidInputError, toShardexError } from '@shardex/shared/errors';
import type { MetricsSource } from '@shardex/shared/telemetry';
import type { WorkerPhase } from '../domain/index.js';

export interface HealthStatus {
  readonly phase: WorkerPhase;
  readonly leases: number;
  readonly residentBytes: number;
}

export interface HealthServer {
  readonly port: number;
  close(): void;
}

/**
 * Answers probes with the status as JSON: `/healthz` with 200 as long as this process takes part in anything, `/readyz`
 * with 200 only while it takes tasks, 503 otherwise; and Prometheus at `/metrics`.
 *
 * @param port - 0: any free one
 * @throws ShardexError when the port is taken
 */
export async function serveHealth(
  host: string,
  port: number,
  status: () => HealthStatus,
  metrics: MetricsSource,
): Promise<HealthServer> {
  const server: Server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    const now = status();
    const probe = (isGood: boolean): void => answer(response, isGood ? 200 : 503, JSON.stringify(now));
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, '{}');
    if (path === '/healthz') return probe(now.phase !== 'STOPPED');
    if (path === '/readyz') return probe(now.phase === 'RUNNING');
    if (path !== '/metrics') return answer(response, 404, '{}');
    metrics.expose().then(
      ({ contentType, text }) => answer(response, 200, text, contentType),
      () => answer(response, 500, '{}'),
    );
  });
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw portError(error, port);
  }
  // Probes must not keep a worker alive that has nothing else to do.
  server.unref();
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function answer(response: ServerResponse, status: number, text: string, contentType = 'application/json'): void {
  response.writeHead(status, { 'content-type': contentType }).end(text);
}

function portError(error: unknown, port: number): Error {
  const isTaken = typeof error === 'object' && error !== null && 'code' in error && error.code === 'EADDRINUSE';
  if (!isTaken) return toShardexError(error, `listening on port ${port}`);
  return new InvalidInputError(`port ${port} is in use`, { hint: 'choose another with --health-port', cause: error });
}
