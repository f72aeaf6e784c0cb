import { hasEnded, type JobView, type LogEntry, type LogKind, type WorkerView } from '../domain/index.js';
import type { LiveEvent, LiveFailure, LiveJob, LiveJobDetails, LiveState } from './live-shapes.js';
import { measureThroughput } from './measure-throughput.js';

/** What the page asks of the engine. */
export interface JobsPort {
  /** Newest first; 0: all. */
  list(limit?: number): JobView[];
  view(jobId: string): JobView;
  entries(jobId: string): readonly LogEntry[];
  workers(): WorkerView[];
}

const LISTED_JOBS = 50;
const LISTED_EVENTS = 200;

const TROUBLES: ReadonlySet<LogKind> = new Set<LogKind>([
  'job-failed',
  'stage-retried',
  'stage-reopened',
  'task-retried',
  'task-failed',
  'task-split',
  'task-doubled',
  'lease-expired',
  'stale-report',
  'worker-lost',
  'clock-paused',
  'warning',
]);

export function viewState(jobs: JobsPort, version: string, nowMs: number): LiveState {
  const all = jobs.list();
  const shown = all.slice(0, LISTED_JOBS).map(liveJob);
  return { version, nowMs, jobs: shown, olderJobs: all.length - shown.length, workers: jobs.workers() };
}

/** @throws InvalidInputError when there is no such job */
export function viewDetails(jobs: JobsPort, jobId: string, nowMs: number): LiveJobDetails {
  const view = jobs.view(jobId);
  const entries = jobs.entries(jobId);
  const untilMs = hasEnded(view) ? (view.endedMs ?? nowMs) : nowMs;
  return {
    nowMs,
    job: liveJob(view),
    failure: view.failure && liveFailure(view.failure),
    warnings: view.warnings,
    throughput: measureThroughput(entries, view.startedMs ?? view.submittedMs, untilMs),
    events: entries.slice(-LISTED_EVENTS).map(withoutReport),
    troubles: entries
      .filter(({ kind }) => TROUBLES.has(kind))
      .slice(-LISTED_EVENTS)
      .map(withoutReport),
  };
}

function liveJob(view: JobView): LiveJob {
  const { jobId, state, stages, submittedMs, startedMs, endedMs, etaSeconds, parameters } = view;
  const { input, output, tests } = parameters;
  return { jobId, state, stages, submittedMs, startedMs, endedMs, etaSeconds, input, output, tests };
}

function liveFailure({ tag, message, hint, details }: NonNullable<JobView['failure']>): LiveFailure {
  const { story } = details;
  return { tag, message, hint, ...(typeof story === 'string' ? { story } : {}) };
}

function withoutReport({ report: _, ...event }: LogEntry): LiveEvent {
  return event;
}
