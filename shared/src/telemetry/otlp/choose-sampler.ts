import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  type Sampler,
} from '@opentelemetry/sdk-trace';

/**
 * Which traces are kept: all, unless OTEL_TRACES_SAMPLER says otherwise. A worker follows its coordinator with those whose
 * names begin with `parentbased_`, which the default is.
 */
export function chooseSampler(environment: Readonly<Record<string, string | undefined>>): Sampler {
  const [, parentBased, kind] = /^(parentbased_)?(\w+)$/.exec(environment['OTEL_TRACES_SAMPLER']?.trim() ?? '') ?? [];
  const ratio = Number(environment['OTEL_TRACES_SAMPLER_ARG'] ?? 1);
  const root =
    kind === 'always_off'
      ? new AlwaysOffSampler()
      : kind === 'traceidratio' && ratio >= 0 && ratio <= 1
        ? new TraceIdRatioBasedSampler(ratio)
        : new AlwaysOnSampler();
  return parentBased === undefined && kind !== undefined ? root : new ParentBasedSampler({ root });
}
