import { createLogger, openTracing } from '@shardex/shared/telemetry';
import { DePlanner, PRODUCT_VERSION } from './adapters/index.js';
import type { CoordinatorSettings } from './cli/index.js';
import { startCoordinator, type RunningCoordinator } from './coordinator-server.js';
import type { ClusterShape } from './domain/index.js';
import { streamResults } from './stream-results.js';

/** Time that calls and reductions get to end when the coordinator is stopped. */
const STOP_GRACE_MS = 5_000;

/** HOST and PORT of an address that was checked when it was read. */
function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}

/**
 * Runs a coordinator until `signal` fires, then stops it in order: no new calls, what waits is ended, ports are closed.
 *
 * @throws InvalidInputError when the address cannot be bound, or lies beyond this machine without protection, or the `state`
 *   folder is another coordinator's; whatever ends the coordinator by itself, as the loss of that folder
 */
export async function serveCoordinator(settings: CoordinatorSettings, signal: AbortSignal): Promise<void> {
  let coordinator: RunningCoordinator | null = null;
  // Shards are cut for the workers that are there when a stage begins.
  const { taskNonzeros } = settings;
  const cluster = (): ClusterShape => {
    const workers = coordinator?.engine.workers() ?? [];
    // A worker runs one task a thread: each gets an equal part of its memory.
    const memories = workers.map(({ memoryBytes, threads }) => memoryBytes / threads).filter((bytes) => bytes > 0);
    const slots = workers.reduce((sum, { threads }) => sum + threads, 0);
    const memoryBytes = Math.floor(Math.min(settings.taskMemory, ...memories));
    return { slots: Math.max(1, slots), memoryBytes, ...(taskNonzeros === null ? {} : { taskNonzeros }) };
  };
  const logger = createLogger({ level: settings.logLevel, name: 'coordinator' });
  const { otlpEndpoint: endpoint } = settings;
  const tracing = await openTracing({
    ...{ role: 'coordinator', version: PRODUCT_VERSION, endpoint },
    ...{ environment: process.env, logger },
  });
  coordinator = await startCoordinator({
    planner: new DePlanner(cluster, streamResults, logger),
    ...splitAddress(settings.listen),
    allowInsecure: settings.allowInsecure,
    security: settings,
    locations: { input: settings.allowInput, output: settings.allowOutput },
    maxJobsPerUser: settings.maxJobsPerUser,
    maxRequestsPerSecond: settings.maxRequestsPerSecond,
    metricsHost: settings.metricsHost,
    leaseMs: settings.leaseMs,
    maxAttempts: settings.maxAttempts,
    taskTimeoutMs: settings.taskTimeoutMs,
    ...(settings.state === null ? {} : { state: settings.state }),
    logger,
    tracing,
    ...(settings.metricsPort === null ? {} : { metricsPort: settings.metricsPort }),
  });
  const stopped = new Promise<null>((resolve) => {
    signal.addEventListener('abort', () => resolve(null), { once: true });
    if (signal.aborted) resolve(null);
  });
  const broken = await Promise.race([stopped, coordinator.engine.whenEnded]);
  if (broken === null) logger.info('stopping; a second signal ends this process at once');
  await coordinator.stop({ graceMs: STOP_GRACE_MS });
  await tracing.close();
  if (broken !== null) throw broken;
}
