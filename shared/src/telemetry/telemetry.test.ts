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

describe('metrics', () => {
  it('are exposed as Prometheus reads them', async () => {
    const metrics = createMetrics();
    metrics.count('shardex_tasks_total', 1, { state: 'done' });
    metrics.count('shardex_tasks_total', 2, { state: 'done' });
    metrics.set('shardex_workers', 3);
    const { contentType, text } = await metrics.expose();
    expect(contentType).toContain('text/plain');
    expect(text).toContain('shardex_tasks_total{state="done"} 3');
    expect(text).toContain('shardex_workers 3');
  });

  it('of two registries do not mix', async () => {
    const [first, second] = [createMetrics(), createMetrics()];
    first.count('shardex_fits_total', 5);
    expect((await second.expose()).text).toContain('shardex_fits_total 0');
  });
});
