import { describe, expect, it } from 'vitest';
import type { SpanAttributes, Tracing } from '@shardex/shared/telemetry';
import { MachineBench, must } from '../testing/machine-bench.js';
import { JobTraces } from './job-traces.js';

interface Kept {
  readonly name: string;
  readonly parent: string;
  readonly fromMs: number;
  toMs: number | null;
  failure: string | null;
  attributes: SpanAttributes;
  readonly notes: string[];
}

/** Keeps spans; the context of one is its name and place. */
function keepSpans(): { readonly spans: Kept[]; readonly tracing: Tracing } {
  const spans: Kept[] = [];
  const tracing: Tracing = {
    start: (name, { parent, atMs, attributes }) => {
      const span: Kept = { name, parent, fromMs: atMs, toMs: null, failure: null, attributes, notes: [] };
      spans.push(span);
      return {
        traceParent: `${name} ${spans.length}`,
        describe: (more) => (span.attributes = { ...span.attributes, ...more }),
        note: (text) => span.notes.push(text),
        fail: (type) => (span.failure = type),
        end: (atMs) => (span.toMs = atMs),
      };
    },
    trouble: null,
    close: () => Promise.resolve(),
  };
  return { spans, tracing };
}

/** The spans of a bench's story. */
function tracesOf(bench: MachineBench): Kept[] {
  const { spans, tracing } = keepSpans();
  const traces = new JobTraces(tracing);
  for (const entry of bench.entries) traces.add(entry);
  return spans;
}

const told = ({ name, toMs, failure, attributes }: Kept) => [
  name,
  attributes['shardex.outcome'] ?? null,
  failure,
  toMs,
];

describe('spans of a job', () => {
  it('are closed with the attempt, the stage and the job, each under the one above', () => {
    const bench = new MachineBench();
    bench.submitTasks('j', 1);
    bench.register('w');
    bench.nowMs = 100;
    const grant = must(bench.pull('w'));
    bench.nowMs = 200;
    bench.complete(grant);
    const spans = tracesOf(bench);
    expect(spans.map(({ name, parent, fromMs, toMs }) => [name, parent, fromMs, toMs])).toEqual([
      ['job', '', 0, 200],
      ['stage fit', 'job 1', 0, 200],
      ['task fit', 'stage fit 2', 100, 200],
    ]);
    expect(spans[2].attributes).toMatchObject({ 'shardex.attempt': 1, 'shardex.worker.id': 'w', 'shardex.fits': 1 });
  });

  it('tell a failed attempt from the one after it, and the job is none the worse', () => {
    const bench = new MachineBench();
    bench.submitTasks('j', 1);
    bench.register('w');
    bench.fail(must(bench.pull('w')), 'StorageUnavailable');
    bench.complete(must(bench.pull('w')));
    expect(tracesOf(bench).map(told)).toEqual([
      ['job', 'succeeded', null, 0],
      ['stage fit', null, null, 0],
      ['task fit', 'retried', 'StorageUnavailable', 0],
      ['task fit', 'done', null, 0],
    ]);
  });

  it('end with a worker that is lost, and with a job that fails or is cancelled', () => {
    const bench = new MachineBench();
    bench.submitTasks('lost', 1);
    bench.register('w');
    bench.pull('w');
    bench.pass(2_000);
    const lost = tracesOf(bench).find(({ name }) => name === 'task fit');
    expect(lost).toMatchObject({ failure: 'WorkerLost', attributes: { 'shardex.outcome': 'retried' } });

    const other = new MachineBench();
    other.submitTasks('bad', 2);
    const cancelled = other.submitTasks('cancelled', 1);
    for (const worker of ['a', 'b', 'c']) other.register(worker);
    const held = ['a', 'b', 'c'].map((worker) => must(other.pull(worker)));
    other.fail(must(held.find(({ jobId }) => jobId === 'bad') ?? null), 'CorruptData');
    other.cancel(cancelled);
    other.heartbeat('a');
    other.heartbeat('b');
    other.heartbeat('c');
    other.pass(2_000);
    const spans = tracesOf(other);
    expect(spans.filter(({ toMs }) => toMs === null)).toEqual([]);
    expect(
      spans
        .filter(({ name }) => name === 'job')
        .map(told)
        .map((one) => one.slice(0, 3)),
    ).toEqual([
      ['job', 'failed', 'CorruptData'],
      ['job', 'cancelled', null],
    ]);
    const outcomes = spans
      .filter(({ name }) => name === 'task fit')
      .map(({ attributes }) => attributes['shardex.outcome']);
    expect(outcomes.sort()).toEqual(['abandoned', 'failed', 'stopped']);
  });

  it('of two attempts at a late task end both when the first of them is done', () => {
    const bench = new MachineBench({ leaseMs: 20_000, workerTimeoutMs: 20_000 });
    bench.submitTasks('j', 2);
    bench.register('slow');
    bench.register('quick');
    bench.pull('slow');
    bench.complete(must(bench.pull('quick')));
    bench.pull('quick');
    for (let step = 0; step < 6; step++) {
      bench.nowMs += 1_000;
      bench.happen({ kind: 'tick' });
    }
    bench.complete(bench.grants.at(-1)!);
    const outcomes = tracesOf(bench)
      .filter(({ name }) => name === 'task fit')
      .map(({ attributes, notes }) => [attributes['shardex.outcome'], notes]);
    expect(outcomes).toEqual([
      ['outrun', ['task-doubled']],
      ['done', []],
      ['done', []],
    ]);
  });

  it('are cut off when the coordinator stops, and a grant carries that of its attempt', () => {
    const bench = new MachineBench();
    bench.submitTasks('j', 1);
    bench.register('w');
    const grant = must(bench.pull('w'));
    const { spans, tracing } = keepSpans();
    const traces = new JobTraces(tracing);
    for (const entry of bench.entries) traces.add(entry);
    expect(traces.onto(grant).traceParent).toBe('task fit 3');
    traces.close(700);
    expect(spans.map(({ attributes, toMs }) => [attributes['shardex.outcome'], toMs])).toEqual([
      ['interrupted', 700],
      ['interrupted', 700],
      ['interrupted', 700],
    ]);
    expect(traces.onto(grant).traceParent).toBe('');
  });
});
