import { STAGES, type StageName } from '@shardex/shared/artifacts';
import type { ErrorTag } from '@shardex/shared/errors';
import type { Logger } from '@shardex/shared/telemetry';
import type { Job, LogEntry, LogKind, MachineState } from '../domain/index.js';
import type { CoordinatorMetrics } from './coordinator-metrics.js';

const LEVELS: Partial<Record<LogKind, 'debug' | 'warn' | 'error'>> = {
  'task-granted': 'debug',
  'task-done': 'debug',
  'task-abandoned': 'debug',
  'task-retried': 'warn',
  'task-failed': 'error',
  'task-split': 'warn',
  'task-doubled': 'warn',
  'stage-retried': 'warn',
  'stage-reopened': 'warn',
  'job-failed': 'error',
  'lease-expired': 'warn',
  'stale-report': 'warn',
  'worker-lost': 'warn',
  'clock-paused': 'warn',
  warning: 'warn',
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

/**
 * Adds one event of the machine to the figures.
 *
 * @param job - the entry's job as it is after the event; undefined when the entry names none
 */
export function countEntry(metrics: CoordinatorMetrics, entry: LogEntry, job: Job | undefined): void {
  const stage = entry.stage as StageName;
  const reason = entry.reason as ErrorTag;
  switch (entry.kind) {
    case 'job-submitted':
      return metrics.count('shardex_jobs_total', { state: 'submitted' });
    case 'job-failed':
      metrics.count('shardex_job_failures_total', { reason });
      return jobEnded(metrics, 'failed', entry, job);
    case 'job-succeeded':
      return jobEnded(metrics, 'succeeded', entry, job);
    case 'job-cancelled':
      return jobEnded(metrics, 'cancelled', entry, job);
    case 'stage-done':
      return stageDone(metrics, stage, job);
    case 'stage-retried':
      return metrics.count('shardex_stage_retries_total', { reason });
    case 'task-granted':
      return metrics.count('shardex_tasks_total', { stage, state: 'granted' });
    case 'task-done':
      metrics.count('shardex_tasks_total', { stage, state: 'done' });
      return taskReported(metrics, stage, entry, job);
    case 'task-retried':
      metrics.count('shardex_task_retries_total', { reason });
      return metrics.count('shardex_tasks_total', { stage, state: 'retried' });
    case 'task-split':
      return metrics.count('shardex_tasks_total', { stage, state: 'split' });
    case 'task-doubled':
      return metrics.count('shardex_tasks_total', { stage, state: 'doubled' });
    case 'double-lost':
      return metrics.count('shardex_tasks_total', { stage, state: 'double-lost' });
    case 'task-outrun':
      return metrics.count('shardex_tasks_total', { stage, state: 'outrun' });
    case 'task-failed':
      return metrics.count('shardex_tasks_total', { stage, state: 'failed' });
    case 'task-returned':
      return metrics.count('shardex_tasks_total', { stage, state: 'returned' });
    case 'task-abandoned':
      return metrics.count('shardex_tasks_total', { stage, state: 'abandoned' });
    case 'lease-expired':
      return metrics.count('shardex_lease_expiries_total', {});
    case 'stale-report':
      return metrics.count('shardex_stale_reports_total', {});
    case 'worker-lost':
      return metrics.count('shardex_workers_lost_total', {});
    default:
  }
}

function jobEnded(
  metrics: CoordinatorMetrics,
  state: 'succeeded' | 'failed' | 'cancelled',
  entry: LogEntry,
  job: Job | undefined,
): void {
  metrics.count('shardex_jobs_total', { state });
  if (job === undefined) return;
  metrics.observe('shardex_job_duration_seconds', { state }, (entry.atMs - job.submittedMs) / 1000);
}

function stageDone(metrics: CoordinatorMetrics, name: StageName, job: Job | undefined): void {
  const stage = job?.stages.find((one) => one.name === name);
  if (job === undefined || stage === undefined) return;
  const { startedMs, endedMs, executor, bytesRead, bytesWritten } = stage;
  if (startedMs !== null && endedMs !== null) {
    metrics.observe('shardex_stage_duration_seconds', { stage: name }, (endedMs - startedMs) / 1000);
  }
  // A stage of workers has been counted task by task.
  if (executor === 'workers') return;
  const { scratch, output } = storesOf(job);
  metrics.count('shardex_read_bytes_total', { role: 'scratch', store: scratch }, bytesRead);
  const written = stage.output === null ? ({ role: 'output', store: output } as const) : null;
  metrics.count('shardex_written_bytes_total', written ?? { role: 'scratch', store: scratch }, bytesWritten);
}

function taskReported(metrics: CoordinatorMetrics, stage: StageName, entry: LogEntry, job: Job | undefined): void {
  const { report } = entry;
  if (report === undefined) return;
  metrics.observe('shardex_task_duration_seconds', { stage }, report.wallMs / 1000);
  metrics.count('shardex_nonzeros_total', {}, report.nonzeros);
  metrics.count('shardex_fits_total', {}, report.fits);
  if (job === undefined) return;
  const { input, scratch } = storesOf(job);
  // The scan reads the file, every later stage what the scan made of it.
  const from = stage === 'scan' ? ({ role: 'input', store: input } as const) : null;
  metrics.count('shardex_read_bytes_total', from ?? { role: 'scratch', store: scratch }, report.bytesRead);
  metrics.count('shardex_written_bytes_total', { role: 'scratch', store: scratch }, report.bytesWritten);
}

function storesOf({ prepared: { params } }: Job) {
  const store = (uri: string): 'file' | 's3' => (uri.startsWith('s3://') ? 's3' : 'file');
  return { input: store(params.input), scratch: store(params.scratch ?? params.output), output: store(params.output) };
}

/** What there is now. */
export function setGauges(metrics: CoordinatorMetrics, state: MachineState, nowMs: number): void {
  const jobs = { queued: 0, running: 0, cancelling: 0 };
  const stages = new Map<string, number>();
  const tasks = new Map<string, number>();
  const add = (counts: Map<string, number>, stage: string, key: string): void =>
    void counts.set(`${stage} ${key}`, (counts.get(`${stage} ${key}`) ?? 0) + 1);
  for (const job of state.jobs.values()) {
    const { state: jobState } = job.status;
    if (jobState in jobs) jobs[jobState as keyof typeof jobs] += 1;
    if (job.endedMs === null) for (const stage of job.stages) add(stages, stage.name, stage.status.state);
    // Empty once a job has ended and nobody holds any of it.
    for (const task of job.tasks.values()) add(tasks, job.stages[task.stage].name, task.state);
  }
  for (const [name, count] of Object.entries(jobs))
    metrics.set('shardex_jobs_active', { state: name as keyof typeof jobs }, count);
  let ready = 0;
  for (const stage of STAGES) {
    for (const one of ['planning', 'running', 'reducing'] as const)
      metrics.set('shardex_stages_active', { stage, state: one }, stages.get(`${stage} ${one}`) ?? 0);
    for (const one of ['ready', 'leased', 'abandoned'] as const)
      metrics.set('shardex_tasks_active', { stage, state: one }, tasks.get(`${stage} ${one}`) ?? 0);
    ready += tasks.get(`${stage} ready`) ?? 0;
  }
  metrics.set('shardex_queue_depth', {}, ready);
  const workers = [...state.workers.values()];
  const silences = workers.map(({ lastSeenMs }) => (nowMs - lastSeenMs) / 1000);
  metrics.set('shardex_workers', {}, workers.length);
  metrics.set('shardex_worker_slots', {}, sum(workers.map(({ capabilities }) => capabilities.threads)));
  metrics.set('shardex_worker_resident_bytes', {}, sum(workers.map(({ residentBytes }) => residentBytes)));
  metrics.set('shardex_worker_silence_seconds', {}, Math.max(0, ...silences));
  metrics.set('shardex_lease_seconds', {}, state.options.leaseMs / 1000);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
