import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import {
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span,
} from '@opentelemetry/api';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace';
import type { SpanStart, TraceSpan, Tracing, TracingOptions } from '../tracing.js';
import { chooseSampler } from './choose-sampler.js';
import { otlpSettings, type OtlpSettings } from './otlp-settings.js';
import { WatchedExporter } from './watched-exporter.js';

/** Longest that `close` waits: the last batch of a collector that answers, with its retries. */
const CLOSE_MS = 5_000;

const KINDS = { client: SpanKind.CLIENT, server: SpanKind.SERVER, internal: SpanKind.INTERNAL } as const;

/**
 * Traces over OTLP/HTTP. Spans wait in a queue of bounded length and are sent in the background; what does not fit is dropped.
 * Nothing is registered globally, and no library is instrumented.
 */
export async function openOtlpTracing(options: TracingOptions): Promise<Tracing> {
  const { role, version, environment, logger } = options;
  const settings = otlpSettings(options.endpoint, environment, logger);
  const exporter = new WatchedExporter(await openExporter(settings), logger);
  const ours = resourceFromAttributes({
    'service.name': `shardex-${role}`,
    'service.version': version,
    'service.instance.id': randomUUID(),
    'host.name': hostname(),
    'process.pid': process.pid,
  });
  // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES have the last word.
  const resource = defaultResource()
    .merge(ours)
    .merge(detectResources({ detectors: [envDetector] }));
  const provider = new TracerProvider({
    resource,
    sampler: chooseSampler(environment),
    spanProcessors: [new BatchSpanProcessor({ exporter, exportTimeoutMillis: settings.timeoutMs, ...settings.queue })],
  });
  const tracer = provider.getTracer('shardex', version);
  return {
    start: (name, { kind, parent, atMs, attributes }: SpanStart) =>
      wrap(tracer.startSpan(name, { kind: KINDS[kind], startTime: atMs, attributes }, contextOf(parent, kind))),
    get trouble() {
      return exporter.trouble;
    },
    close: async () => {
      let timer: NodeJS.Timeout | undefined;
      const waited = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_MS)));
      // What goes wrong has been said by the exporter.
      await Promise.race([provider.shutdown().catch(() => undefined), waited]);
      clearTimeout(timer);
    },
  };
}

async function openExporter({ protocol, url, timeoutMs }: OtlpSettings): Promise<SpanExporter> {
  const config = { timeoutMillis: timeoutMs, ...(url === null ? {} : { url }) };
  if (protocol === 'http/json') {
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
    return new OTLPTraceExporter(config);
  }
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter(config);
}

function wrap(span: Span): TraceSpan {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return {
    traceParent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
    describe: (attributes) => void span.setAttributes(attributes),
    note: (text, atMs) => void span.addEvent(text, {}, atMs),
    fail: (type, message, atMs) => {
      span.setAttribute('error.type', type);
      span.recordException({ name: type, message }, atMs);
      span.setStatus({ code: SpanStatusCode.ERROR, message });
    },
    end: (atMs) => span.end(atMs),
  };
}

/** @source https://www.w3.org/TR/trace-context/#traceparent-header-field-values, version 00 */
const TRACE_PARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The context of the span above, which a server's is of another process; what is none begins a trace. */
function contextOf(traceParent: string, kind: SpanStart['kind']): Context {
  const [, traceId = '', spanId = '', flags = '00'] = TRACE_PARENT.exec(traceParent) ?? [];
  const parent = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: kind === 'server' };
  return isSpanContextValid(parent) ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
}
