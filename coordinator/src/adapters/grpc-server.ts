import { Server, type ServerCredentials } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { JobService, WorkerService, fileDescriptors } from '@shardex/proto';
import { InvalidInputError } from '@shardex/shared/errors';
import { SERVER_OPTIONS, quietGrpc, serve } from '@shardex/shared/rpc';
import { measureGrpcServer } from '@shardex/shared/telemetry';
import { HealthImplementation } from 'grpc-health-check';
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
 * Serves jobs and workers, with health checking and reflection.
 *
 * @param port - 0: any free one
 * @throws InvalidInputError when the address cannot be bound
 */
export async function serveGrpc(
  engine: JobEngine,
  metrics: CoordinatorMetrics,
  { credentials, gate, quota }: Door,
  host: string,
  port: number,
): Promise<GrpcServer> {
  quietGrpc();
  const server = new Server({
    ...SERVER_OPTIONS,
    // What was refused is counted too.
    interceptors: [measureGrpcServer(metrics), gate.interceptor()],
  });
  serve(server, JobService, jobHandlers(engine, quota));
  serve(server, WorkerService, workerHandlers(engine));
  const services = ['', JobService.typeName, WorkerService.typeName];
  const health = new HealthImplementation();
  const setServing = (serving: boolean): void => {
    for (const service of services) health.setStatus(service, serving ? 'SERVING' : 'NOT_SERVING');
  };
  health.addToServer(server);
  setServing(true);
  addReflection(server);
  const bound = await bind(server, credentials, host, port);
  return { address: `${bracketed(host)}:${bound}`, setServing, close: (graceMs) => close(server, graceMs) };
}

/** grpcurl and the like can ask what is served here. */
function addReflection(server: Server): void {
  // The library reads nothing but the descriptors of a package definition.
  const file = { format: 'Protocol Buffer 3 DescriptorProto', type: {}, fileDescriptorProtos: fileDescriptors() };
  new ReflectionService({ 'shardex.v1': file } as never).addToServer(server);
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
