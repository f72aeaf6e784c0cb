import { onStopSignals, thisMachine, usableMemory } from '@shardex/shared/config';
import { WorkerLostError } from '@shardex/shared/errors';
import { channelSecurity } from '@shardex/shared/rpc';
import { openTracing, type Logger } from '@shardex/shared/telemetry';
import type { WorkerExit, WorkerPhase } from '../domain/index.js';
import { ComputePool, residentBytes } from '../pool/index.js';
import { DEFAULT_BACKOFF } from './backoff.js';
import { GrpcCoordinator } from './grpc-coordinator.js';
import { serveHealth } from './health-server.js';
import { measureCoordinator, measureRunner } from './measured-ports.js';
import { watchParent } from './parent-watch.js';
import { traceRunner } from './trace-runner.js';
import { WorkerAgent } from './worker-agent.js';
import { capabilitiesOf } from './worker-capabilities.js';
import { createWorkerMetrics, setWorkerGauges } from './worker-metrics.js';
import type { WorkerSettings } from './worker-settings.js';

/** What a test may put in the place of the real thing. */
export interface WorkerParts {
  readonly threadUrl?: URL;
  readonly taskModule?: URL;
  readonly onPhase?: (phase: WorkerPhase) => void;
}

/** Pulls wait so long: well below the idle limits of proxies, long enough that an idle worker makes three calls a minute. */
const PULL_WAIT_MS = 20_000;

/**
 * Runs a worker in this process until it has drained, was stopped or cannot go on.
 *
 * SIGTERM and SIGINT drain, a second one a second later or more stops at once. Threads are started before the worker registers, so that a lease
 * never waits for them.
 *
 * @throws ShardexError when it cannot start: no thread, the port taken, a certificate or token that cannot be used
 */
export async function runWorker(settings: WorkerSettings, log: Logger, parts: WorkerParts = {}): Promise<WorkerExit> {
  const security = channelSecurity(settings, process.env, settings.coordinator);
  const machine = thisMachine();
  const capabilities = capabilitiesOf(settings, machine, log);
  const metrics = createWorkerMetrics(
    { ...capabilities, usableMemoryBytes: usableMemory(machine).value },
    { process: settings.healthPort !== null },
  );
  const tracing = await openTracing({
    ...{ role: 'worker', version: capabilities.version, endpoint: settings.otlpEndpoint },
    ...{ environment: process.env, logger: log },
  });
  const runner = await ComputePool.start({
    ...parts,
    threads: capabilities.threads,
    memoryBytes: capabilities.memoryBytes,
    abandonGraceMs: settings.abandonGraceMs,
    onReplaced: (name) => {
      metrics.count('shardex_worker_threads_replaced_total', {});
      log.warn('a compute thread died and was replaced', { thread: name });
    },
  });
  const agent = new WorkerAgent({
    coordinator: measureCoordinator(new GrpcCoordinator(settings.coordinator, security), metrics),
    runner: traceRunner(measureRunner(runner, metrics), tracing),
    capabilities,
    log,
    residentBytes,
    pullWaitMs: PULL_WAIT_MS,
    coordinatorTimeoutMs: settings.coordinatorTimeoutMs === 0 ? null : settings.coordinatorTimeoutMs,
    backoff: DEFAULT_BACKOFF,
    ...(parts.onPhase === undefined ? {} : { onPhase: parts.onPhase }),
  });
  metrics.beforeExpose(() => setWorkerGauges(metrics, agent.phase, agent.leases));
  let isToldToStop = false;
  const releases: (() => void)[] = [
    onStopSignals((signal) => {
      if (isToldToStop) {
        agent.stop({ kind: 'stopped', reason: `second ${signal}` });
        return;
      }
      isToldToStop = true;
      log.info('draining', { signal, graceMs: settings.drainGraceMs, leases: agent.leases });
      agent.drain(signal, settings.drainGraceMs);
    }),
  ];
  if (settings.exitWithParent !== false) {
    const error = new WorkerLostError('the process that started this worker has ended');
    const parent = settings.exitWithParent === true ? undefined : settings.exitWithParent;
    releases.push(watchParent(() => agent.stop({ kind: 'failed', error }), parent));
  }
  try {
    if (settings.healthPort !== null) {
      const status = () => ({ phase: agent.phase, leases: agent.leases, residentBytes: residentBytes() });
      const health = await serveHealth(settings.healthHost, settings.healthPort, status, metrics);
      log.info('serving /metrics, /healthz and /readyz', { port: health.port });
      releases.push(() => health.close());
    }
    agent.start();
    return await agent.finished;
  } finally {
    for (const release of releases) release();
    await Promise.all([runner.close(), tracing.close()]);
  }
}
