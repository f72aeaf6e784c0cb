import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { ReceivedSpan } from './otlp-receiver.js';

export const named = (spans: readonly ReceivedSpan[], prefix: string): ReceivedSpan[] =>
  spans.filter(({ name }) => name.startsWith(prefix));

/**
 * A finished run with two workers is one trace: the job, its stages, the attempts at their tasks, and what workers did for each.
 *
 * @param spans - all that a collector got
 * @param output - the run's folder
 */
export async function expectOneTree(spans: readonly ReceivedSpan[], output: string): Promise<void> {
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const parentOf = ({ parentSpanId }: ReceivedSpan): string | undefined => byId.get(parentSpanId)?.name;

  const [job, ...others] = named(spans, 'job');
  expect(others).toEqual([]);
  expect(job).toMatchObject({ parentSpanId: '', attributes: { 'shardex.outcome': 'succeeded' } });
  const record = JSON.parse(await readFile(join(output, 'run.json'), 'utf8')) as {
    readonly stages: readonly { readonly name: string; readonly runs_on: string; readonly tasks: number }[];
  };
  const stages = named(spans, 'stage ');
  expect(stages.map(({ name }) => name).sort()).toEqual(record.stages.map(({ name }) => `stage ${name}`).sort());
  expect(stages.every((stage) => parentOf(stage) === 'job')).toBe(true);
  const tasks = named(spans, 'task ');
  for (const { name, tasks: count, runs_on: where } of record.stages) {
    const attempts = tasks.filter(({ attributes }) => attributes['shardex.stage'] === name);
    expect([name, attempts.length]).toEqual([name, where === 'workers' ? count : 0]);
    expect(attempts.every((attempt) => parentOf(attempt) === `stage ${name}`)).toBe(true);
  }
  // Each attempt was run once, by a worker, and neither began before nor ended after what it belongs under.
  const runs = named(spans, 'run ');
  expect(runs.map(({ parentSpanId }) => parentSpanId).sort()).toEqual(tasks.map(({ spanId }) => spanId).sort());
  expect(new Set(runs.map(({ resource }) => resource['service.name']))).toEqual(new Set(['shardex-worker']));
  expect(new Set(tasks.map(({ resource }) => resource['service.name']))).toEqual(new Set(['shardex-coordinator']));
  expect(new Set(runs.map(({ resource }) => resource['service.instance.id'])).size).toBeLessThanOrEqual(2);
  // Of another process is what a worker's work belongs under, and nothing else.
  expect(spans.filter(({ isParentRemote }) => isParentRemote)).toEqual(runs);
  for (const span of [...stages, ...tasks]) {
    const above = byId.get(span.parentSpanId) as ReceivedSpan;
    expect(span.startMs).toBeGreaterThanOrEqual(above.startMs);
    expect(span.endMs).toBeLessThanOrEqual(above.endMs);
  }
  expect(spans.every(({ status }) => status === 0)).toBe(true);
  expect(spans).toHaveLength(1 + stages.length + tasks.length + runs.length);
}
