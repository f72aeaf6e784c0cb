import { describe, expect, it } from 'vitest';
import { otlpSettings } from './otlp/otlp-settings.js';
import { createLogger } from './logger.js';
import { openTracing, wantsTraces } from './open-tracing.js';
import { NO_TRACING } from './tracing.js';

const there = 'http://collector:4318';
const silent = createLogger({ level: 'silent', name: 'test' });

describe('traces', () => {
  it.each([
    [null, {}, false],
    [there, {}, true],
    [null, { OTEL_EXPORTER_OTLP_ENDPOINT: there }, true],
    [null, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: there }, true],
    [null, { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }, false],
    [null, { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: there }, false],
    [null, { OTEL_EXPORTER_OTLP_ENDPOINT: there, OTEL_TRACES_EXPORTER: 'none' }, false],
    [there, { OTEL_SDK_DISABLED: 'true' }, false],
  ])('with the flag %s and the variables %j are wanted: %s', (endpoint, environment, wanted) => {
    expect(wantsTraces({ endpoint, environment })).toBe(wanted);
  });

  it('that nobody wants cost nothing', async () => {
    const options = { role: 'worker', version: '0', endpoint: null, environment: {}, logger: silent } as const;
    expect(await openTracing(options)).toBe(NO_TRACING);
    const start = { kind: 'internal', parent: '', atMs: 0, attributes: {} } as const;
    expect(NO_TRACING.start('job', start).traceParent).toBe('');
  });

  it('under a span of another process carry its trace on, and begin one where there is none', async () => {
    const options = { role: 'worker', version: '0', endpoint: there, environment: {}, logger: silent } as const;
    const tracing = await openTracing(options);
    const start = (parent: string) =>
      tracing.start('run fit', { kind: 'server', parent, atMs: 0, attributes: {} }).traceParent;
    const trace = '0af7651916cd43dd8448eb211c80319c';
    expect(start(`00-${trace}-b7ad6b7169203331-01`)).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
    expect(start(`00-${trace}-b7ad6b7169203331-00`)).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-00$`));
    for (const wrong of ['', 'nonsense', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`])
      expect(start(wrong)).toMatch(/^00-(?!0af7|0{32})[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    // Nothing has ended, so nothing is sent.
    await tracing.close();
    expect(tracing.trouble).toBeNull();
  });

  it('go to the path of traces below the address of the flag; the protocol and limits are the environment’s', () => {
    expect(otlpSettings('http://here:4318/otel', {}, silent)).toEqual({
      url: 'http://here:4318/otel/v1/traces',
      protocol: 'http/protobuf',
      timeoutMs: 3_000,
      queue: {},
    });
    const environment = {
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_TIMEOUT: '700',
      OTEL_BSP_SCHEDULE_DELAY: '100',
      OTEL_BSP_MAX_QUEUE_SIZE: 'many',
    };
    expect(otlpSettings(null, environment, silent)).toEqual({
      url: null,
      protocol: 'http/json',
      timeoutMs: 700,
      queue: { scheduledDelayMillis: 100 },
    });
  });
});
