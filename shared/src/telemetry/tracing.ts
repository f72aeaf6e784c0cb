import type { Logger } from './logger.js';

/**
 * What spans are described by. Values that grow with jobs are identifiers only (job, task, worker), as in logs; no name from a
 * file or of a perturbation or gene is among them.
 */
export type SpanAttribute =
  | 'shardex.job.id'
  | 'shardex.stage'
  | 'shardex.task.id'
  | 'shardex.worker.id'
  | 'shardex.attempt'
  | 'shardex.outcome'
  | 'shardex.bytes_read'
  | 'shardex.bytes_written'
  | 'shardex.nonzeros'
  | 'shardex.fits'
  | 'error.type';

export type SpanAttributes = Partial<Readonly<Record<SpanAttribute, string | number>>>;

/** A stretch of time in a trace. */
export interface TraceSpan {
  /** Names this span to another process: the W3C header of that name. */
  readonly traceParent: string;
  describe(attributes: SpanAttributes): void;
  /** Something that happened meanwhile. */
  note(text: string, atMs: number): void;
  /** It ends as a failure. @param type - the tag of the error */
  fail(type: string, message: string, atMs: number): void;
  end(atMs: number): void;
}

export interface SpanStart {
  /** Waits for work elsewhere, does work for another process, or neither. */
  readonly kind: 'client' | 'server' | 'internal';
  /** `traceParent` of the span above; '': none, it begins a trace. */
  readonly parent: string;
  /** Unix time. */
  readonly atMs: number;
  readonly attributes: SpanAttributes;
}

/** Where spans go. Nothing here throws, and nothing waits but `close`. */
export interface Tracing {
  start(name: string, start: SpanStart): TraceSpan;
  /** Why spans were lost last; null: none were, as far as is known. */
  readonly trouble: string | null;
  /** Sends what is left, and gives up after a few seconds. */
  close(): Promise<void>;
}

const NO_SPAN: TraceSpan = {
  traceParent: '',
  describe: () => undefined,
  note: () => undefined,
  fail: () => undefined,
  end: () => undefined,
};

/** Nobody asked for traces. */
export const NO_TRACING: Tracing = { start: () => NO_SPAN, trouble: null, close: () => Promise.resolve() };

export interface TracingOptions {
  /** Which process this is. */
  readonly role: 'coordinator' | 'worker';
  readonly version: string;
  /** Base address of a collector that speaks OTLP over HTTP; null: what the environment says, or none. */
  readonly endpoint: string | null;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
}
