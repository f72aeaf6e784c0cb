import { STAGES } from '@shardex/shared/artifacts';
import { ERROR_POLICIES, type ErrorTag } from '@shardex/shared/errors';
import { createMetrics, GRPC_SERVER_METRICS, type Metrics, type MetricsOptions } from '@shardex/shared/telemetry';

const REASONS = Object.keys(ERROR_POLICIES) as ErrorTag[];
const TASK_OUTCOMES = [
  ...(['granted', 'done', 'retried', 'split', 'failed', 'returned', 'abandoned'] as const),
  // `doubled`: begun beside another attempt that was late; of such a pair one is `done`, the other `outrun` or lost.
  ...(['doubled', 'outrun', 'double-lost'] as const),
] as const;
const STORES = ['file', 's3'] as const;

/** What a coordinator exposes. Every label takes a handful of values: no job, task or worker ids. */
export const COORDINATOR_METRICS = {
  counters: {
    ...GRPC_SERVER_METRICS.counters,
    shardex_jobs_total: {
      help: 'Jobs by what became of them',
      labels: { state: ['submitted', 'succeeded', 'failed', 'cancelled'] },
    },
    shardex_job_failures_total: { help: 'Jobs that failed, by the tag of the failure', labels: { reason: REASONS } },
    shardex_tasks_total: {
      help: 'Attempts at tasks by how they went',
      labels: { stage: STAGES, state: TASK_OUTCOMES },
    },
    shardex_task_retries_total: { help: 'Tasks tried again, by the tag of the failure', labels: { reason: REASONS } },
    shardex_stage_retries_total: {
      help: "Plans and reductions of the coordinator's own tried again, by the tag of the failure",
      labels: { reason: REASONS },
    },
    shardex_lease_expiries_total: { help: 'Leases that ran out because nobody extended them', labels: {} },
    shardex_stale_reports_total: { help: 'Reports of attempts that were no longer current', labels: {} },
    shardex_workers_lost_total: { help: 'Workers that stopped answering', labels: {} },
    shardex_read_bytes_total: {
      help: 'Bytes that finished tasks and reductions read, from which kind of store',
      labels: { role: ['input', 'scratch'], store: STORES },
    },
    shardex_written_bytes_total: {
      help: 'Bytes that finished tasks and reductions wrote, to which kind of store',
      labels: { role: ['scratch', 'output'], store: STORES },
    },
    shardex_nonzeros_total: { help: 'Nonzero counts that finished tasks went through', labels: {} },
    shardex_fits_total: { help: 'Models that finished tasks fitted', labels: {} },
  },
  gauges: {
    shardex_build_info: { help: 'Always 1; the version is in the label', labels: { version: null } },
    shardex_jobs_active: {
      help: 'Jobs that have not ended, by state',
      labels: { state: ['queued', 'running', 'cancelling'] },
    },
    shardex_stages_active: {
      help: 'Stages that are being planned, run or reduced now, over all jobs',
      labels: { stage: STAGES, state: ['planning', 'running', 'reducing'] },
    },
    shardex_tasks_active: {
      help: 'Tasks of jobs that have not ended: ready to be granted, leased to a worker, or not yet let go of',
      labels: { stage: STAGES, state: ['ready', 'leased', 'abandoned'] },
    },
    shardex_queue_depth: { help: 'Tasks that wait for a worker', labels: {} },
    shardex_job_stalled_seconds: {
      help: 'Time since the job that has been without any progress the longest last made some; 0 without jobs',
      labels: {},
    },
    shardex_workers: { help: 'Workers registered now', labels: {} },
    shardex_worker_slots: { help: 'Tasks that the registered workers can run at the same time', labels: {} },
    shardex_worker_silence_seconds: {
      help: 'Time since the registered worker that has been silent the longest was heard of; 0 without workers',
      labels: {},
    },
    shardex_worker_resident_bytes: { help: 'Memory that the registered workers hold, as they told', labels: {} },
    shardex_lease_seconds: { help: 'Silence after which a task goes elsewhere', labels: {} },
    shardex_usable_memory_bytes: { help: 'Memory that this process may use', labels: {} },
  },
  histograms: {
    ...GRPC_SERVER_METRICS.histograms,
    shardex_job_duration_seconds: {
      help: 'Time from the submission of a job to its end',
      labels: { state: ['succeeded', 'failed', 'cancelled'] },
      buckets: [1, 10, 60, 300, 900, 3600, 4 * 3600, 24 * 3600],
    },
    shardex_stage_duration_seconds: {
      help: 'Time from the beginning of a stage to its end',
      labels: { stage: STAGES },
      buckets: [0.1, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600],
    },
    shardex_task_duration_seconds: {
      help: 'Time that a finished task took on its thread',
      labels: { stage: STAGES },
      buckets: [0.1, 0.5, 2, 5, 15, 60, 300, 900],
    },
  },
} as const;

export type CoordinatorMetrics = Metrics<typeof COORDINATOR_METRICS>;

/** @param usableMemoryBytes - memory that this process may use */
export function createCoordinatorMetrics(
  version: string,
  usableMemoryBytes: number,
  options: MetricsOptions = {},
): CoordinatorMetrics {
  const metrics = createMetrics(COORDINATOR_METRICS, options);
  metrics.set('shardex_build_info', { version }, 1);
  metrics.set('shardex_usable_memory_bytes', {}, usableMemoryBytes);
  return metrics;
}
