import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { CONNECTION_SETTING_SPECS, environmentName, TOKEN_VARIABLE, type DeParameters } from '@shardex/shared/config';
import { JobState, type Job } from '@shardex/proto';
import { ResourceExhaustedError } from '@shardex/shared/errors';
import { workerId as toWorkerId } from '@shardex/shared/ids';
import { PLAINTEXT } from '@shardex/shared/rpc';
import { createLogger, openTracing, wantsTraces } from '@shardex/shared/telemetry';
import { DePlanner, NO_SECURITY, PRODUCT_VERSION } from './adapters/index.js';
import { connectCoordinator, type EmbeddedRun, type JobUpdate } from './cli/index.js';
import { startCoordinator, type RunningCoordinator } from './coordinator-server.js';
import type { ClusterShape } from './domain/index.js';
import { streamResults } from './stream-results.js';

/** Long enough for a worker to hand back what it holds, short enough not to be waited for. */
const DRAIN_GRACE_MS = 2000;

/** How much longer a worker gets when it has traces to send: as long as sending a batch may take, with what is around it. */
const TRACES_GRACE_MS = 4000;

/** The worker's setting of the same name; an address on the command line would be seen by everybody on this machine. */
const ENDPOINT_VARIABLE = environmentName('otlpEndpoint');

/** A worker process that keeps dying is a fault of the machine or of ours: after so many replacements the job fails. */
const MAX_REPLACEMENTS_PER_WORKER = 3;

/** Workers here share a machine with their coordinator: silence this long means that the process hangs. */
const LEASE_MS = 15_000;

/** How a cluster may be tuned and watched; none of it changes a byte of the results. */
export interface EmbeddedTuning {
  /** Nonzeros a task should have; absent: by the number of workers. */
  readonly taskNonzeros?: number;
  /** Least time between two updates, during which changes are passed over; absent: the coordinator's own, 100 ms. */
  readonly watchIntervalMs?: number;
  /** Called with the process id of every worker that is started. */
  readonly onWorker?: (pid: number) => void;
}

/** The launcher, which starts workers as well as everything else. */
const LAUNCHER = fileURLToPath(new URL('../bin/shardex.mjs', import.meta.url));

/**
 * Runs one job on a cluster of this machine: a coordinator in this process, and worker processes that speak to it over
 * loopback gRPC. Workers that die are replaced. Nothing outlives the call.
 *
 * @param onUpdate - called with the job at every change
 * @param signal - aborted: the job is cancelled
 * @returns the job as it ended, failed or cancelled ones included, and why traces were lost, if any were
 * @throws what is wrong with the input
 */
export async function runEmbedded(
  parameters: DeParameters,
  run: EmbeddedRun,
  onUpdate: (update: JobUpdate) => void,
  signal: AbortSignal,
  tuning: EmbeddedTuning = {},
): Promise<{ readonly job: Job; readonly tracesLost: string | null }> {
  const { taskNonzeros, watchIntervalMs } = tuning;
  const shape: ClusterShape = {
    slots: run.workers,
    memoryBytes: run.memoryBytes,
    ...(taskNonzeros === undefined ? {} : { taskNonzeros }),
  };
  const planner = new DePlanner(() => shape, streamResults);
  // Others on this machine reach the port too, and must not run jobs with our rights.
  const secret = randomBytes(32).toString('hex');
  const traced = { endpoint: run.otlpEndpoint ?? null, environment: process.env };
  const logger = createLogger({ level: 'silent', name: 'coordinator' });
  const tracing = await openTracing({ role: 'coordinator', version: PRODUCT_VERSION, ...traced, logger });
  const security = { ...NO_SECURITY, secret };
  // Nobody but our own workers and client has the secret, and they know the services.
  const serving = { security, isDiscoverable: false, ...(watchIntervalMs === undefined ? {} : { watchIntervalMs }) };
  const coordinator = await startCoordinator({ planner, leaseMs: LEASE_MS, ...serving, tracing });
  const client = connectCoordinator(coordinator.address, { ...PLAINTEXT, token: () => secret });
  const workers = new WorkerProcesses(coordinator, secret, run, tuning);
  let graceMs = 0;
  let ended: Job | null = null;
  try {
    // Workers start while the job is planned; if it turns out that there is nothing to run, they end without ado.
    workers.start();
    const submitted = await client.submit(parameters, run.existingOutput);
    graceMs = DRAIN_GRACE_MS + (wantsTraces(traced) ? TRACES_GRACE_MS : 0);
    const cancel = (reason: string): void => void client.cancel(submitted.id, reason).catch(() => undefined);
    workers.onGivingUp(() => cancel('the worker processes keep dying'));
    signal.addEventListener('abort', () => cancel('interrupted'), { once: true });
    if (signal.aborted) cancel('interrupted');
    let last = submitted;
    for await (const update of client.watch(submitted.id, new AbortController().signal)) {
      last = update.job;
      onUpdate(update);
    }
    if (workers.failure !== null) throw workers.failure;
    ended = last;
  } finally {
    // Once a job has succeeded its workers hold nothing that anybody wants, but for traces. The spans of a job that has ended
    // are whole: workers and this process send what is left at the same time.
    const isIdle = ended?.state === JobState.SUCCEEDED && !wantsTraces(traced);
    await Promise.all([workers.stop(isIdle ? 0 : graceMs), ended === null ? undefined : tracing.close()]);
    client.close();
    await coordinator.stop({ graceMs: DRAIN_GRACE_MS });
    await tracing.close();
  }
  return { job: ended, tracesLost: tracing.trouble };
}

/** Ours, with the secret in the place of whatever leads to a coordinator elsewhere. */
function workerEnvironment(secret: string, otlpEndpoint: string | null): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { ...process.env, [TOKEN_VARIABLE]: secret };
  for (const name of Object.keys(CONNECTION_SETTING_SPECS)) delete environment[environmentName(name)];
  delete environment[ENDPOINT_VARIABLE];
  if (otlpEndpoint !== null) environment[ENDPOINT_VARIABLE] = otlpEndpoint;
  return environment;
}

/** The worker processes of one embedded cluster. */
class WorkerProcesses {
  /** Set when workers keep dying and no more are started. */
  failure: ResourceExhaustedError | null = null;
  private giveUp: () => void = () => undefined;
  private readonly running = new Set<ChildProcess>();
  private stopping = false;
  private replacements = 0;

  constructor(
    private readonly coordinator: RunningCoordinator,
    private readonly secret: string,
    private readonly run: EmbeddedRun,
    private readonly tuning: EmbeddedTuning,
  ) {}

  start(): void {
    for (let i = 0; i < this.run.workers; i++) this.spawnOne();
  }

  /** Calls `listener` once when workers keep dying, or at once when they did. */
  onGivingUp(listener: () => void): void {
    this.giveUp = listener;
    if (this.failure !== null) listener();
  }

  /** @param graceMs - time to drain; 0: end at once */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    await Promise.all([...this.running].map((child) => endProcess(child, graceMs)));
  }

  private spawnOne(): void {
    const { memoryBytes } = this.run;
    const options = ['--threads', '1', '--memory', `${Math.floor(memoryBytes)}`, '--log-level', 'error'];
    const child = spawn(
      process.execPath,
      [LAUNCHER, 'worker', '--coordinator', this.coordinator.address, ...options, '--exit-with-parent'],
      // Its own process group would survive Ctrl-C; in ours, the terminal's signal must not end it before the job is cancelled.
      {
        stdio: ['pipe', 'ignore', 'inherit'],
        detached: true,
        env: workerEnvironment(this.secret, this.run.otlpEndpoint ?? null),
      },
    );
    this.running.add(child);
    if (child.pid !== undefined) this.tuning.onWorker?.(child.pid);
    child.once('exit', () => {
      this.running.delete(child);
      if (this.stopping) return;
      // The operating system knows at once what a lease would tell only when it runs out.
      for (const { workerId, pid } of this.coordinator.engine.workers()) {
        if (pid === child.pid) this.coordinator.engine.drain(toWorkerId(workerId), 'its process ended');
      }
      if (this.replacements < MAX_REPLACEMENTS_PER_WORKER * this.run.workers) {
        this.replacements++;
        this.spawnOne();
        return;
      }
      this.failure = new ResourceExhaustedError('the worker processes keep dying', {
        hint: 'give them more memory with --memory, or run fewer with --workers',
      });
      this.giveUp();
    });
  }
}

/** Asks a process to end and makes sure that it does. */
function endProcess(child: ChildProcess, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve();
      return;
    }
    const force = setTimeout(() => child.kill('SIGKILL'), graceMs);
    child.once('exit', () => {
      clearTimeout(force);
      resolve();
    });
    child.kill(graceMs > 0 ? 'SIGTERM' : 'SIGKILL');
  });
}
