import { STAGES } from '@shardex/shared/artifacts';
import { ERROR_POLICIES, type ErrorTag } from '@shardex/shared/errors';
import { createMetrics, type Metrics, type MetricsOptions } from '@shardex/shared/telemetry';
import type { WorkerPhase } from '../domain/index.js';

const REASONS = Object.keys(ERROR_POLICIES) as ErrorTag[];
export const CALLS = ['register', 'pull', 'heartbeat', 'complete', 'fail', 'leave'] as const;
const PHASES = [
  'INITIALISED',
  'REGISTERED',
  'RUNNING',
  'DRAINING',
  'STOPPED',
] as const satisfies readonly WorkerPhase[];

/** What a worker exposes. Names differ from the coordinator's, so that sums over all processes count nothing twice. */
export const WORKER_METRICS = {
  counters: {
    shardex_worker_tasks_total: {
      help: 'Attempts at tasks that ended on a thread of this worker',
      labels: { stage: STAGES, outcome: ['completed', 'failed'] },
    },
    shardex_worker_task_failures_total: {
      help: 'Attempts that failed on this worker, by the tag of the failure',
      labels: { reason: REASONS },
    },
    shardex_worker_read_bytes_total: { help: 'Bytes that completed tasks read', labels: { stage: STAGES } },
    shardex_worker_written_bytes_total: { help: 'Bytes that completed tasks wrote', labels: { stage: STAGES } },
    shardex_worker_nonzeros_total: { help: 'Nonzero counts that completed tasks went through', labels: {} },
    shardex_worker_fits_total: { help: 'Models that completed tasks fitted', labels: {} },
    shardex_worker_threads_replaced_total: { help: 'Compute threads that died and were replaced', labels: {} },
    shardex_worker_calls_total: {
      help: 'Calls to the coordinator by outcome: answered, or the tag of the failure',
      labels: { call: CALLS, outcome: ['answered', ...REASONS] },
    },
  },
  gauges: {
    shardex_build_info: { help: 'Always 1; the version is in the label', labels: { version: null } },
    shardex_worker_phase: {
      help: '1 for the phase of life this worker is in, 0 for the others',
      labels: { phase: PHASES },
    },
    shardex_worker_threads: { help: 'Tasks this worker runs at the same time', labels: {} },
    shardex_worker_leases: { help: 'Leases this worker holds', labels: {} },
    shardex_worker_task_memory_bytes: { help: 'Memory that all tasks together may plan with', labels: {} },
    shardex_worker_last_contact_timestamp_seconds: {
      help: 'Unix time of the last answer from the coordinator; 0 before the first',
      labels: {},
    },
    shardex_usable_memory_bytes: { help: 'Memory that this process may use', labels: {} },
  },
  histograms: {
    shardex_worker_task_duration_seconds: {
      help: 'Time that a completed task took on its thread',
      labels: { stage: STAGES },
      buckets: [0.1, 0.5, 2, 5, 15, 60, 300, 900],
    },
    shardex_worker_call_duration_seconds: {
      help: 'Time from a call to the coordinator to its answer or failure; a pull waits for work',
      labels: { call: CALLS },
      buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 30],
    },
  },
} as const;

export type WorkerMetrics = Metrics<typeof WORKER_METRICS>;

/** What of a worker does not change while it lives. */
export interface WorkerFacts {
  readonly version: string;
  readonly threads: number;
  readonly memoryBytes: number;
  /** Memory that this process may use. */
  readonly usableMemoryBytes: number;
}

export function createWorkerMetrics(facts: WorkerFacts, options: MetricsOptions = {}): WorkerMetrics {
  const metrics = createMetrics(WORKER_METRICS, options);
  metrics.set('shardex_build_info', { version: facts.version }, 1);
  metrics.set('shardex_worker_threads', {}, facts.threads);
  metrics.set('shardex_worker_task_memory_bytes', {}, facts.memoryBytes);
  metrics.set('shardex_usable_memory_bytes', {}, facts.usableMemoryBytes);
  return metrics;
}

/** @param leases - held now */
export function setWorkerGauges(metrics: WorkerMetrics, phase: WorkerPhase, leases: number): void {
  for (const one of PHASES) metrics.set('shardex_worker_phase', { phase: one }, one === phase ? 1 : 0);
  metrics.set('shardex_worker_leases', {}, leases);
}
