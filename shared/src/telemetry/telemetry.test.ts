import { describe, expect, it } from 'vitest';
import { StorageUnavailableError } from '../errors/index.js';
import { createLogger } from './logger.js';
import { createMetrics } from './metrics.js';

function collect(): { readonly lines: Record<string, unknown>[]; readonly stream: { write(line: string): void } } {
  const lines: Record<string, unknown>[] = [];
  return { lines, stream: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) } };
}

describe('the logger', () => {
  it('writes one object a line, with the fields of its parents', () => {
    const { lines, stream } = collect();
    const logger = createLogger({ level: 'info', name: 'worker', stream });
    logger.child({ job: 'j', stage: 'fit' }).child({ task: 't', attempt: 2 }).info('begins', { worker: 'w' });
    expect(lines).toMatchObject([
      { name: 'worker', text: 'begins', job: 'j', stage: 'fit', task: 't', attempt: 2, worker: 'w' },
    ]);
  });

  it('writes nothing below its level, and nothing at all when silent', () => {
    const { lines, stream } = collect();
    createLogger({ level: 'warn', name: 'x', stream }).info('not this');
    createLogger({ level: 'silent', name: 'x', stream }).error('nor this');
    expect(lines).toEqual([]);
  });

  it('writes errors with their tag, hint and causes', () => {
    const { lines, stream } = collect();
    const error = new StorageUnavailableError('s3 is away', { hint: 'wait', cause: new TypeError('socket') });
    createLogger({ level: 'info', name: 'x', stream }).error('failed', { error });
    expect(lines[0]['error']).toMatchObject({
      tag: 'StorageUnavailable',
      message: 's3 is away',
      hint: 'wait',
      cause: { message: 'socket' },
    });
  });
});

const TABLE = {
  counters: {
    reads_total: { help: 'Reads', labels: { store: ['file', 's3'] } },
    calls_total: { help: 'Calls', labels: { method: null } },
  },
  gauges: { depth: { help: 'Depth', labels: {} } },
  histograms: { run_seconds: { help: 'Runs', labels: { stage: ['fit'] }, buckets: [1, 10] } },
} as const;

describe('metrics', () => {
  it('are exposed as Prometheus reads them', async () => {
    const metrics = createMetrics(TABLE);
    metrics.count('reads_total', { store: 's3' });
    metrics.count('reads_total', { store: 's3' }, 2);
    metrics.count('calls_total', { method: 'Pull' });
    metrics.set('depth', {}, 3);
    metrics.observe('run_seconds', { stage: 'fit' }, 5);
    const { contentType, text } = await metrics.expose();
    expect(contentType).toContain('text/plain');
    expect(text).toContain('# TYPE reads_total counter');
    expect(text).toContain('reads_total{store="s3"} 3');
    expect(text).toContain('calls_total{method="Pull"} 1');
    expect(text).toContain('depth 3');
    expect(text).toContain('run_seconds_bucket{le="1",stage="fit"} 0');
    expect(text).toContain('run_seconds_bucket{le="10",stage="fit"} 1');
    expect(text).toContain('run_seconds_sum{stage="fit"} 5');
  });

  it('of listed values are there from the start, at zero, and of others only once they are counted', async () => {
    const { text } = await createMetrics(TABLE).expose();
    expect(text).toContain('reads_total{store="file"} 0');
    expect(text).toContain('run_seconds_count{stage="fit"} 0');
    expect(text).not.toContain('calls_total{');
  });

  it('of two registries do not mix', async () => {
    const [first, second] = [createMetrics(TABLE), createMetrics(TABLE)];
    first.count('reads_total', { store: 'file' }, 5);
    expect((await second.expose()).text).toContain('reads_total{store="file"} 0');
  });

  it('that are computed on demand are fresh at every exposition', async () => {
    const metrics = createMetrics(TABLE);
    let depth = 0;
    metrics.beforeExpose(() => metrics.set('depth', {}, ++depth));
    await metrics.expose();
    expect((await metrics.expose()).text).toContain('depth 2');
  });

  it('tell of the process only when asked, and name no gauge as if it were a counter', async () => {
    expect((await createMetrics(TABLE).expose()).text).not.toContain('process_');
    const { text } = await createMetrics(TABLE, { process: true }).expose();
    expect(text).toContain('process_resident_memory_bytes');
    expect(text).toContain('nodejs_eventloop_lag_p99_seconds');
    expect([...text.matchAll(/^# TYPE (\S+_total) gauge$/gm)]).toEqual([]);
  });
});
