import { thisMachine, usableMemory } from '@shardex/shared/config';
import { isLoopback } from '@shardex/shared/rpc';
import { createLogger, type Logger, type Tracing } from '@shardex/shared/telemetry';
import {
  createCoordinatorMetrics,
  Gate,
  guardPages,
  guardPlanner,
  JobEngine,
  JobJournal,
  JobQuota,
  NO_SECURITY,
  PRODUCT_VERSION,
  randomIds,
  RateLimiter,
  serveGrpc,
  serveHttp,
  ServerSecurity,
  systemClock,
  type AllowedLocations,
  type Clock,
  type CoordinatorMetrics,
  type IdSource,
  type SecuritySettings,
} from './adapters/index.js';
import { DEFAULT_MACHINE_OPTIONS, type JobPlanner } from './domain/index.js';
import { createPages } from './web/index.js';

export interface CoordinatorOptions {
  readonly planner: JobPlanner;
  /** Default `127.0.0.1`. Anything but loopback needs encryption and authentication, or `allowInsecure`. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Whoever reaches the port may run jobs with this process's rights on files: say so to listen beyond this machine. */
  readonly allowInsecure?: boolean;
  /** Default true: answers health checks and reflection. */
  readonly isDiscoverable?: boolean;
  /** Default: neither encryption nor authentication. */
  readonly security?: SecuritySettings;
  /** Default: wherever this process may read and write. */
  readonly locations?: AllowedLocations;
  /** Default: as many as there is memory for. */
  readonly maxJobsPerUser?: number;
  /** Of one peer; absent or 0: no limit. */
  readonly maxRequestsPerSecond?: number;
  /** Default: silent. */
  readonly logger?: Logger;
  readonly metrics?: CoordinatorMetrics;
  /** Of jobs, stages and tasks; whoever opened it closes it after `stop`. Default: none. */
  readonly tracing?: Tracing;
  /** Serves the page, /metrics, /healthz and /readyz on this port; absent: not at all. */
  readonly metricsPort?: number;
  /** Where; default `127.0.0.1`. */
  readonly metricsHost?: string;
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
 * @throws InvalidInputError when the address lies beyond this machine without encryption, authentication or `allowInsecure`,
 *   or cannot be bound, a file of `security` is wrong, or another coordinator holds the `state` folder
 */
export async function startCoordinator(options: CoordinatorOptions): Promise<RunningCoordinator> {
  const { host = '127.0.0.1', port = 0, logger = createLogger({ level: 'silent', name: 'coordinator' }) } = options;
  const { leaseMs = DEFAULT_MACHINE_OPTIONS.leaseMs, clock = systemClock, locations } = options;
  const security = new ServerSecurity(options.security ?? NO_SECURITY, logger);
  security.requireSafeAt(host, options.allowInsecure === true);
  const metrics =
    options.metrics ??
    createCoordinatorMetrics(PRODUCT_VERSION, usableMemory(thisMachine()).value, {
      process: options.metricsPort !== undefined,
    });
  const engine = new JobEngine({
    planner: locations === undefined ? options.planner : guardPlanner(options.planner, locations),
    clock,
    journal: options.state === undefined ? null : await JobJournal.open(options.state, clock),
    ids: options.ids ?? randomIds,
    logger,
    metrics,
    ...(options.tracing === undefined ? {} : { tracing: options.tracing }),
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
  const now = (): number => clock.nowMs();
  const door = {
    credentials: security.credentials,
    gate: new Gate(security, new RateLimiter(options.maxRequestsPerSecond ?? 0, now), now, logger),
    quota: new JobQuota(options.maxJobsPerUser ?? Infinity, (owner) => engine.ongoing(owner)),
  };
  const { metricsHost = '127.0.0.1' } = options;
  const pages = createPages(engine, isLoopback(metricsHost) ? 'this-machine' : 'anyone');
  // Beyond this machine nobody looks at jobs without saying who it is.
  const isPageSafe = isLoopback(metricsHost) || security.isGuarded || options.allowInsecure === true;
  let stopping = false;
  try {
    security.watch(clock);
    const grpc = await serveGrpc(engine, metrics, door, host, port, options.isDiscoverable ?? true);
    const http =
      options.metricsPort === undefined
        ? null
        : await serveHttp(
            metricsHost,
            options.metricsPort,
            metrics,
            () => {
              const { ended } = engine;
              const healthy = ended === null || stopping;
              return { healthy, ready: healthy && !stopping, why: ended?.message ?? '' };
            },
            isPageSafe ? guardPages(pages.serve, door.gate) : undefined,
          ).catch(async (error: unknown) => {
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
        pages.close();
        await engineStopped;
        security.close();
        logger.info('stopped');
      },
    };
  } catch (error) {
    security.close();
    await engine.stop();
    throw error;
  }
}
