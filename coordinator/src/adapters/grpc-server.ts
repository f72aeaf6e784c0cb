import { Server, type ServerCredentials } from '@grpc/grpc-js';
import { JobService, WorkerService } from '@shardex/proto';
import { InvalidInputError } from '@shardex/shared/errors';
import { SERVER_OPTIONS, quietGrpc, serve } from '@shardex/shared/rpc';
import { measureGrpcServer } from '@shardex/shared/telemetry';
import type { Gate, JobQuota } from './auth/index.js';
import type { CoordinatorMetrics } from './coordinator-metrics.js';
import { jobHandlers } from './grpc-job-service.js';
import { workerHandlers } from './grpc-worker-service.js';
import type { JobEngine } from './job-engine.js';

export interface GrpcServer {
  /** `HOST:PORT` with the port that was really bound. */
  readonly address: string;
  /** Health as the gRPC health protocol tells it, for all services. */
  setServing(serving: boolean): void;
  /** Lets calls end for up to `graceMs`, then cuts them off. */
  close(graceMs: number): Promise<void>;
}

/** What stands between the network and the engine. */
export interface Door {
  readonly credentials: ServerCredentials;
  readonly gate: Gate;
  readonly quota: JobQuota;
}

/**
 * Serves jobs and workers.
 *
 * @param port - 0: any free one
 * @param isDiscoverable - with health checking, and reflection for grpcurl and the like
 * @throws InvalidInputError when the address cannot be bound
 */
export async function serveGrpc(
  engine: JobEngine,
  metrics: CoordinatorMetrics,
  { credentials, gate, quota }: Door,
  host: string,
  port: number,
  isDiscoverable: boolean,
): Promise<GrpcServer> {
  quietGrpc();
  const server = new Server({
    ...SERVER_OPTIONS,
    // What was refused is counted too.
    interceptors: [measureGrpcServer(metrics), gate.interceptor()],
  });
  serve(server, JobService, jobHandlers(engine, quota));
  serve(server, WorkerService, workerHandlers(engine));
  // Their libraries take a tenth of a second to load and set up.
  const discovery = isDiscoverable ? await import('./grpc-discovery.js') : null;
  const setServing = discovery?.addDiscovery(server) ?? ((): void => undefined);
  const bound = await bind(server, credentials, host, port);
  return { address: `${bracketed(host)}:${bound}`, setServing, close: (graceMs) => close(server, graceMs) };
}

function bind(server: Server, credentials: ServerCredentials, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${bracketed(host)}:${port}`, credentials, (error, bound) => {
      if (error === null) return resolve(bound);
      reject(
        new InvalidInputError(`cannot listen at ${host}:${port}: ${error.message}`, {
          hint: 'choose another port, or stop the process that uses this one',
          cause: error,
        }),
      );
    });
  });
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host);

function close(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.forceShutdown(), graceMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
