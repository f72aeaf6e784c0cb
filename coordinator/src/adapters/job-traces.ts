import type { SpanAttributes, TraceSpan, Tracing } from '@shardex/shared/telemetry';
import type { Grant, LogEntry } from '../domain/index.js';

/** A grant as it travels: with the span of its attempt, where traces are kept. */
export interface TracedGrant extends Grant {
  /** W3C trace context; '': none. */
  readonly traceParent: string;
}

interface JobSpans {
  readonly job: TraceSpan;
  readonly stages: Map<string, TraceSpan>;
  /** By task and attempt. */
  readonly attempts: Map<string, TraceSpan>;
}

/** Attempts that end without a result and without a fault. */
const ENDINGS: Partial<Record<LogEntry['kind'], string>> = {
  'task-returned': 'returned',
  'task-abandoned': 'abandoned',
  'task-outrun': 'outrun',
};

const FAILURES: ReadonlySet<LogEntry['kind']> = new Set<LogEntry['kind']>([
  'task-retried',
  'task-failed',
  'task-split',
  'double-lost',
]);

/**
 * Spans of jobs, their stages and the attempts at their tasks, from the machine's story: what the log tells line by line has a
 * beginning and an end here. Only what is open is held.
 */
export class JobTraces {
  readonly #jobs = new Map<string, JobSpans>();

  constructor(private readonly tracing: Tracing) {}

  /** Adds one line of the story; lines must come in order. */
  add(entry: LogEntry): void {
    const { kind, jobId, atMs } = entry;
    if (jobId === undefined) return;
    if (kind === 'job-submitted' || kind === 'job-restored') {
      const job = this.#start('job', 'internal', '', atMs, { 'shardex.job.id': jobId });
      if (kind === 'job-restored') job.note(entry.text, atMs);
      this.#jobs.set(jobId, { job, stages: new Map(), attempts: new Map() });
      return;
    }
    const spans = this.#jobs.get(jobId);
    if (spans === undefined) return;
    if (kind === 'job-succeeded' || kind === 'job-failed' || kind === 'job-cancelled') {
      if (kind === 'job-failed') spans.job.fail(entry.reason ?? '', entry.text, atMs);
      this.#end(jobId, spans, kind.slice('job-'.length), atMs);
    } else if (entry.attempt !== undefined && entry.taskId !== undefined) this.#addAttempt(spans, entry);
    else if (entry.stage !== undefined) this.#addStage(spans, entry, entry.stage);
    else if (kind === 'job-cancelling') spans.job.note(entry.text, atMs);
  }

  /** The grant with the span that the worker's own belongs under. */
  onto(grant: Grant): TracedGrant {
    const span = this.#jobs.get(grant.jobId)?.attempts.get(keyOf(grant));
    return { ...grant, traceParent: span?.traceParent ?? '' };
  }

  /** The coordinator stops: what is open is cut off here. */
  close(atMs: number): void {
    for (const [jobId, spans] of this.#jobs) this.#end(jobId, spans, 'interrupted', atMs);
  }

  #addAttempt(spans: JobSpans, entry: LogEntry): void {
    const { kind, atMs, text, reason = '', report } = entry;
    const { stage = '', taskId = '', workerId = '', attempt = 0 } = entry;
    const key = keyOf({ taskId, attempt });
    if (kind === 'task-granted') {
      const under = this.#stage(spans, stage, atMs);
      const span = this.#start(`task ${stage}`, 'client', under.traceParent, atMs, {
        'shardex.stage': stage,
        'shardex.task.id': taskId,
        'shardex.worker.id': workerId,
        'shardex.attempt': attempt,
      });
      spans.attempts.set(key, span);
      return;
    }
    const span = spans.attempts.get(key);
    if (span === undefined) return;
    if (kind === 'task-done' && report !== undefined) {
      span.describe({ 'shardex.nonzeros': report.nonzeros, 'shardex.fits': report.fits });
    } else if (FAILURES.has(kind)) span.fail(reason, text, atMs);
    else if (kind !== 'task-done' && ENDINGS[kind] === undefined) {
      // Late, or its lease is over: what becomes of it comes next.
      span.note(kind, atMs);
      return;
    }
    span.describe({ 'shardex.outcome': ENDINGS[kind] ?? kind.replace(/^(task|double)-/, '') });
    span.end(atMs);
    spans.attempts.delete(key);
  }

  #addStage(spans: JobSpans, { kind, text, reason, atMs }: LogEntry, stage: string): void {
    if (kind === 'stage-started') this.#stage(spans, stage, atMs);
    else if (kind === 'stage-done') {
      spans.stages.get(stage)?.end(atMs);
      spans.stages.delete(stage);
    } else if (kind === 'stage-retried' || kind === 'stage-reopened') {
      const span = this.#stage(spans, stage, atMs);
      if (kind === 'stage-retried') span.fail(reason ?? '', text, atMs);
      else span.note(kind, atMs);
    }
  }

  /** The span of a stage that runs, begun anew when a lost output has opened the stage again. */
  #stage(spans: JobSpans, stage: string, atMs: number): TraceSpan {
    const known = spans.stages.get(stage);
    if (known !== undefined) return known;
    const span = this.#start(`stage ${stage}`, 'internal', spans.job.traceParent, atMs, { 'shardex.stage': stage });
    spans.stages.set(stage, span);
    return span;
  }

  #end(jobId: string, { job, stages, attempts }: JobSpans, outcome: string, atMs: number): void {
    for (const span of [...attempts.values(), ...stages.values()]) {
      span.describe({ 'shardex.outcome': outcome === 'failed' || outcome === 'cancelled' ? 'stopped' : outcome });
      span.end(atMs);
    }
    job.describe({ 'shardex.outcome': outcome });
    job.end(atMs);
    this.#jobs.delete(jobId);
  }

  #start(
    name: string,
    kind: 'client' | 'internal',
    parent: string,
    atMs: number,
    attributes: SpanAttributes,
  ): TraceSpan {
    return this.tracing.start(name, { kind, parent, atMs, attributes });
  }
}

const keyOf = ({ taskId, attempt }: Pick<Grant, 'attempt'> & { readonly taskId: string }): string =>
  `${taskId}#${attempt}`;
