import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import type { Logger } from '../logger.js';

type Callback = Parameters<SpanExporter['export']>[1];

/** ExportResultCode.SUCCESS of @opentelemetry/core, which this package does not depend on by name. */
const SUCCESS = 0;

/**
 * The same exporter, which says so when spans were lost: at the 1st, 2nd, 4th, 8th … failure in a row. Only the error's own
 * sentence and status are said: an answer's body or a header may hold a secret.
 */
export class WatchedExporter implements SpanExporter {
  trouble: string | null = null;
  #failuresInARow = 0;
  #lost = 0;

  constructor(
    private readonly exporter: SpanExporter,
    private readonly logger: Logger,
  ) {}

  export(spans: ReadableSpan[], callback: Callback): void {
    this.exporter.export(spans, (result) => {
      if (Number(result.code) === SUCCESS) this.#failuresInARow = 0;
      else this.#failed(spans.length, result.error);
      callback(result);
    });
  }

  forceFlush(): Promise<void> {
    return this.exporter.forceFlush?.() ?? Promise.resolve();
  }

  shutdown(): Promise<void> {
    return this.exporter.shutdown();
  }

  #failed(spans: number, error: (Error & { readonly code?: unknown }) | undefined): void {
    const code = typeof error?.code === 'number' || typeof error?.code === 'string' ? String(error.code) : '';
    const message = error?.message ?? '';
    const why = message.includes(code) ? message : `${code} ${message}`;
    this.#lost += spans;
    this.trouble = `${this.#lost} spans could not be sent to the collector: ${why.trim() || 'no answer in time'}`;
    const failures = ++this.#failuresInARow;
    if ((failures & (failures - 1)) === 0) this.logger.warn(this.trouble, { failures });
  }
}
