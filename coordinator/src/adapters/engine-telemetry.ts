import type { Logger, Metrics } from '@shardex/shared/telemetry';
import type { LogEntry, LogKind, MachineState } from '../domain/index.js';

const LEVELS: Partial<Record<LogKind, 'debug' | 'warn' | 'error'>> = {
  'task-granted': 'debug',
  'task-done': 'debug',
  'task-abandoned': 'debug',
  'task-retried': 'warn',
  'task-failed': 'error',
  'stage-retried': 'warn',
  'stage-reopened': 'warn',
  'job-failed': 'error',
  'lease-expired': 'warn',
  'stale-report': 'warn',
  'worker-lost': 'warn',
  'clock-paused': 'warn',
  warning: 'warn',
};

/** Attempts by how they went. */
const TASK_STATES: Partial<Record<LogKind, string>> = {
  'task-granted': 'granted',
  'task-done': 'done',
  'task-retried': 'retried',
  'task-failed': 'failed',
  'task-returned': 'returned',
  'task-abandoned': 'abandoned',
};

const JOB_STATES: Partial<Record<LogKind, string>> = {
  'job-submitted': 'submitted',
  'job-succeeded': 'succeeded',
  'job-failed': 'failed',
  'job-cancelled': 'cancelled',
};

/** Writes one event of the machine to the process's log. */
export function writeEntry(logger: Logger, entry: LogEntry): void {
  const { jobId, stage, taskId, workerId, attempt, reason } = entry;
  const fields = {
    event: entry.kind,
    ...(jobId === undefined ? {} : { job: jobId }),
    ...(stage === undefined ? {} : { stage }),
    ...(taskId === undefined ? {} : { task: taskId }),
    ...(workerId === undefined ? {} : { worker: workerId }),
    ...(attempt === undefined ? {} : { attempt }),
    ...(reason === undefined ? {} : { reason }),
  };
  logger[LEVELS[entry.kind] ?? 'info'](entry.text, fields);
}

/** Adds one event of the machine to the figures. */
export function countEntry(metrics: Metrics, entry: LogEntry): void {
  const taskState = TASK_STATES[entry.kind];
  const jobState = JOB_STATES[entry.kind];
  if (taskState !== undefined) metrics.count('shardex_tasks_total', 1, { state: taskState });
  if (jobState !== undefined) metrics.count('shardex_jobs_total', 1, { state: jobState });
  if (entry.kind === 'task-retried')
    metrics.count('shardex_task_retries_total', 1, { reason: entry.reason ?? 'unknown' });
  if (entry.kind === 'lease-expired') metrics.count('shardex_lease_expiries_total');
  if (entry.kind === 'stale-report') metrics.count('shardex_stale_reports_total');
  if (entry.kind === 'worker-lost') metrics.count('shardex_workers_lost_total');
  if (entry.report !== undefined) {
    metrics.count('shardex_bytes_total', entry.report.bytesRead, { direction: 'read' });
    metrics.count('shardex_bytes_total', entry.report.bytesWritten, { direction: 'written' });
    metrics.count('shardex_nonzeros_total', entry.report.nonzeros);
    metrics.count('shardex_fits_total', entry.report.fits);
  }
}

/** What there is now: workers, tasks in their hands, jobs that have not ended. */
export function setGauges(metrics: Metrics, { workers, jobs }: MachineState): void {
  let held = 0;
  let active = 0;
  for (const job of jobs.values()) {
    held += job.held;
    if (job.endedMs === null) active += 1;
  }
  metrics.set('shardex_workers', workers.size);
  metrics.set('shardex_tasks_held', held);
  metrics.set('shardex_jobs_active', active);
}
