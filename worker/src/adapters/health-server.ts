import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InvalidInputError, toShardexError } from '@shardex/shared/errors';
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
 * with 200 only while it takes tasks, 503 otherwise.
 *
 * @param port - 0: any free one
 * @throws ShardexError when the port is taken
 */
export async function serveHealth(port: number, status: () => HealthStatus): Promise<HealthServer> {
  const server: Server = createServer((request, response) => {
    const now = status();
    const isGood =
      request.url === '/healthz' ? now.phase !== 'STOPPED' : request.url === '/readyz' ? now.phase === 'RUNNING' : null;
    response.writeHead(isGood === null ? 404 : isGood ? 200 : 503, { 'content-type': 'application/json' });
    response.end(isGood === null ? '{}' : JSON.stringify(now));
  });
  server.listen(port);
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

function portError(error: unknown, port: number): Error {
  const isTaken = typeof error === 'object' && error !== null && 'code' in error && error.code === 'EADDRINUSE';
  if (!isTaken) return toShardexError(error, `listening on port ${port}`);
  return new InvalidInputError(`port ${port} is in use`, { hint: 'choose another with --health-port', cause: error });
}
