import { isIP } from 'node:net';
import { InvalidInputError } from '@shardex/shared/errors';
import { createLogger, type Logger } from '@shardex/shared/telemetry';
import {
  createCoordinatorMetrics,
  JobEngine,
  JobJournal,
  PRODUCT_VERSION,
  randomIds,
  serveGrpc,
  serveHttp,
  systemClock,
  type Clock,
  type CoordinatorMetrics,
  type IdSource,
} from './adapters/index.js';
import { usableMemoryBytes } from './cli/index.js';
import { DEFAULT_MACHINE_OPTIONS, type JobPlanner } from './domain/index.js';

export interface CoordinatorOptions {
  readonly planner: JobPlanner;
  /** Default `127.0.0.1`. Anything but loopback needs `allowInsecure`. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Whoever reaches the port may run jobs with this process's rights on files: say so to listen beyond this machine. */
  readonly allowInsecure?: boolean;
  /** Default: silent. */
  readonly logger?: Logger;
  readonly metrics?: CoordinatorMetrics;
  /** Serves /metrics, /healthz and /readyz on this port of the same host; absent: not at all. */
  readonly metricsPort?: number;
  /** Folder where jobs outlive this process; absent: they do not. */
  readonly state?: string;
  readonly leaseMs?: number;
  readonly heartbeatMs?: number;
  readonly workerTimeoutMs?: number;
  readonly maxAttempts?: number;
  readonly taskTimeoutMs?: number;
  readonly retryDelayMs?: number;
  /** Least time between two messages of a watch, default 100 ms. */
  readonly watchIntervalMs?: number;
  readonly clock?: Clock;
  readonly ids?: IdSource;
}

export interface RunningCoordinator {
  /** `HOST:PORT` for clients and workers. */
  readonly address: string;
  /** `HOST:PORT` of the metrics; null when they are not served. */
  readonly metricsAddress: string | null;
  /** Submit, watch and cancel without a connection. */
  readonly engine: JobEngine;
  /** Refuses new calls, ends what waits, asks the planner's work to end, and closes the ports. */
  stop(options: { readonly graceMs: number }): Promise<void>;
}

/** Ticks per lease: a lease is at most this fraction of itself late in expiring. */
const TICKS_PER_LEASE = 20;

/**
 * Starts a coordinator in this process.
 *
 * @throws InvalidInputError when the address is not loopback without `allowInsecure`, or cannot be bound, or another
 *   coordinator holds the `state` folder
 */
export async function startCoordinator(options: CoordinatorOptions): Promise<RunningCoordinator> {
  const { host = '127.0.0.1', port = 0, logger = createLogger({ level: 'silent', name: 'coordinator' }) } = options;
  if (!isLoopback(host) && options.allowInsecure !== true) {
    throw new InvalidInputError(
      `the coordinator would listen at ${host}, beyond this machine, without authentication`,
      {
        hint: 'listen at 127.0.0.1, or allow it explicitly on a network that you trust',
      },
    );
  }
  const { leaseMs = DEFAULT_MACHINE_OPTIONS.leaseMs, clock = systemClock } = options;
  const metrics =
    options.metrics ??
    createCoordinatorMetrics(PRODUCT_VERSION, usableMemoryBytes(), { process: options.metricsPort !== undefined });
  const engine = new JobEngine({
    planner: options.planner,
    clock,
    journal: options.state === undefined ? null : await JobJournal.open(options.state, clock),
    ids: options.ids ?? randomIds,
    logger,
    metrics,
    options: {
      leaseMs,
      heartbeatMs: options.heartbeatMs ?? Math.min(DEFAULT_MACHINE_OPTIONS.heartbeatMs, Math.round(leaseMs / 6)),
      workerTimeoutMs: options.workerTimeoutMs ?? leaseMs,
      ...(options.maxAttempts === undefined ? {} : { maxAttempts: options.maxAttempts }),
      ...(options.taskTimeoutMs === undefined ? {} : { taskTimeoutMs: options.taskTimeoutMs }),
      ...(options.retryDelayMs === undefined ? {} : { retryDelayMs: options.retryDelayMs }),
    },
    tickMs: Math.max(10, Math.round(leaseMs / TICKS_PER_LEASE)),
    watchIntervalMs: options.watchIntervalMs ?? 100,
  });
  let stopping = false;
  try {
    const grpc = await serveGrpc(engine, metrics, host, port);
    const http =
      options.metricsPort === undefined
        ? null
        : await serveHttp(host, options.metricsPort, metrics, () => {
            const { ended } = engine;
            const healthy = ended === null || stopping;
            return { healthy, ready: healthy && !stopping, why: ended?.message ?? '' };
          }).catch(async (error: unknown) => {
            await grpc.close(0);
            throw error;
          });
    logger.info(`listening at ${grpc.address}`, { address: grpc.address, metrics: http?.address ?? null });
    return {
      address: grpc.address,
      metricsAddress: http?.address ?? null,
      engine,
      stop: async ({ graceMs }) => {
        stopping = true;
        grpc.setServing(false);
        const engineStopped = engine.stop();
        await grpc.close(graceMs);
        await http?.close();
        await engineStopped;
        logger.info('stopped');
      },
    };
  } catch (error) {
    await engine.stop();
    throw error;
  }
}

function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}
