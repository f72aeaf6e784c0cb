import { NO_TRACING, type Tracing, type TracingOptions } from './tracing.js';

/** The standard's own variables; the first has the address of all signals, the second that of traces alone. */
const ENDPOINT_VARIABLES = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] as const;

/** Whether somebody asked for traces, and nobody switched them off. */
export function wantsTraces({ endpoint, environment }: Pick<TracingOptions, 'endpoint' | 'environment'>): boolean {
  if (environment['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true') return false;
  if (endpoint !== null) return true;
  if (environment['OTEL_TRACES_EXPORTER']?.trim() === 'none') return false;
  return ENDPOINT_VARIABLES.some((name) => (environment[name] ?? '').trim() !== '');
}

/** Traces to an OpenTelemetry collector, if anybody asked for them; otherwise none of that is even loaded. */
export async function openTracing(options: TracingOptions): Promise<Tracing> {
  if (!wantsTraces(options)) return NO_TRACING;
  const { openOtlpTracing } = await import('./otlp/otlp-tracing.js');
  return openOtlpTracing(options);
}
