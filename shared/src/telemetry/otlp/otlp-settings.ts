import type { Logger } from '../logger.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** Longest that sending one batch may take, retries included, unless OTEL_EXPORTER_OTLP_TIMEOUT says otherwise: a process that ends waits for it. */
const EXPORT_TIMEOUT_MS = 3_000;

export interface OtlpSettings {
  /** Where traces are sent; null: where the environment says. */
  readonly url: string | null;
  readonly protocol: 'http/protobuf' | 'http/json';
  readonly timeoutMs: number;
  /** Limits of the queue of spans; those that are absent are the library's. */
  readonly queue: {
    readonly scheduledDelayMillis?: number;
    readonly maxQueueSize?: number;
    readonly maxExportBatchSize?: number;
  };
}

/**
 * What the flag and the standard's variables say. Those of headers, certificates and compression are the exporter's own: they
 * never pass through here.
 *
 * @source https://opentelemetry.io/docs/specs/otel/protocol/exporter/ and .../configuration/sdk-environment-variables/
 */
export function otlpSettings(endpoint: string | null, environment: Environment, logger: Logger): OtlpSettings {
  const number = (...names: string[]): number | null => {
    for (const name of names) {
      const text = environment[name]?.trim() ?? '';
      if (/^\d+$/.test(text) && Number(text) > 0) return Number(text);
    }
    return null;
  };
  const asked = environment['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] ?? environment['OTEL_EXPORTER_OTLP_PROTOCOL'] ?? '';
  const protocol = asked.trim() === 'http/json' ? 'http/json' : 'http/protobuf';
  if (asked.trim() !== '' && asked.trim() !== protocol)
    logger.warn(`traces are sent by ${protocol}: the OTLP protocol "${asked.trim()}" is not supported`);
  const [delay, size, batch] = ['SCHEDULE_DELAY', 'MAX_QUEUE_SIZE', 'MAX_EXPORT_BATCH_SIZE'].map((name) =>
    number(`OTEL_BSP_${name}`),
  );
  return {
    url: endpoint === null ? null : new URL('v1/traces', endpoint.endsWith('/') ? endpoint : `${endpoint}/`).href,
    protocol,
    timeoutMs: number('OTEL_EXPORTER_OTLP_TRACES_TIMEOUT', 'OTEL_EXPORTER_OTLP_TIMEOUT') ?? EXPORT_TIMEOUT_MS,
    queue: {
      ...(delay === null ? {} : { scheduledDelayMillis: delay }),
      ...(size === null ? {} : { maxQueueSize: size }),
      ...(batch === null ? {} : { maxExportBatchSize: batch }),
    },
  };
}
