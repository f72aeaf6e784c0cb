import { afterEach, describe, expect, it } from 'vitest';
import { jobId, taskId } from '@shardex/shared/ids';
import { leaseKey, type HeldTask, type TaskOutcome } from '../domain/index.js';
import { ComputePool, type ComputePoolOptions } from './compute-pool.js';

const pools: ComputePool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

const MEBIBYTE = 2 ** 20;

async function startPool(options: Partial<ComputePoolOptions> = {}): Promise<ComputePool> {
  const pool = await ComputePool.start({
    threads: 1,
    memoryBytes: 64 * MEBIBYTE,
    abandonGraceMs: 60_000,
    progressIntervalMs: 0,
    threadUrl: new URL('./fixtures/source-thread.mjs', import.meta.url),
    taskModule: new URL('./fixtures/tiny-tasks.mjs', import.meta.url),
    ...options,
  });
  pools.push(pool);
  return pool;
}

const task = (output: string, attempt = 1): HeldTask => ({
  jobId: jobId('job'),
  stage: 'fit',
  taskId: taskId(`fit-${output}`),
  attempt,
  scratchUri: '/nowhere',
  spec: { kind: 'fit', groupBegin: 1, groupEnd: 2 },
  output,
  memoryBytes: MEBIBYTE,
});

const nothing = (): void => undefined;
const tagOf = (outcome: TaskOutcome): string => (outcome.kind === 'failed' ? outcome.error.tag : outcome.kind);

/** Starts a task that says 0 before it waits, and resolves when it has said so. */
async function begun(pool: ComputePool, held: HeldTask): Promise<{ outcome: Promise<TaskOutcome> }> {
  let sayBegun = nothing;
  const hasBegun = new Promise<void>((resolve) => (sayBegun = resolve));
  const outcome = pool.run(held, () => sayBegun());
  await hasBegun;
  return { outcome };
}

describe('a compute pool', () => {
  it('runs tasks one after the other on one thread, passes progress on and measures them', async () => {
    const pool = await startPool();
    const fractions: number[] = [];
    const outcome = await pool.run(task('progress'), (fraction) => fractions.push(fraction));
    expect(outcome).toMatchObject({ kind: 'completed', report: { output: 'progress' } });
    if (outcome.kind === 'completed') {
      expect(outcome.report.wallMs).toBeGreaterThan(0);
      expect(outcome.report.peakResidentBytes).toBeGreaterThan(MEBIBYTE);
    }
    expect(fractions).toEqual([0, 0.5, 1]);
    expect(await pool.run(task('answer'), nothing)).toMatchObject({ report: { output: 'answer' } });
  });

  it('throttles progress, but not the first message', async () => {
    const pool = await startPool({ progressIntervalMs: 3_600_000 });
    const fractions: number[] = [];
    await pool.run(task('progress'), (fraction) => fractions.push(fraction));
    expect(fractions).toEqual([0]);
  });

  it('gives every thread an equal share of the memory and refuses more tasks than threads', async () => {
    const pool = await startPool({ threads: 2, memoryBytes: 200 * MEBIBYTE });
    expect(await pool.run(task('memory'), nothing)).toMatchObject({ report: { nonzeros: 100 * MEBIBYTE } });
    const first = await begun(pool, task('wait', 1));
    const second = await begun(pool, task('wait', 2));
    await expect(pool.run(task('answer'), nothing)).rejects.toMatchObject({ tag: 'InvariantBroken' });
    pool.abandon(leaseKey(task('wait', 2)));
    expect(tagOf(await second.outcome)).toBe('StorageUnavailable');
    pool.abandon(leaseKey(task('wait', 1)));
    expect(tagOf(await first.outcome)).toBe('StorageUnavailable');
  });

  it.each([
    ['throw', 'InvariantBroken', 'no such gene'],
    ['unavailable', 'StorageUnavailable', 'ETIMEDOUT'],
    ['allocate', 'ResourceExhausted', 'running a fit task'],
  ])('carries the failure of %s over the thread boundary as %s', async (output, tag, text) => {
    const pool = await startPool();
    const outcome = await pool.run(task(output), nothing);
    expect(tagOf(outcome)).toBe(tag);
    if (outcome.kind === 'failed') expect(outcome.error.message).toContain(text);
    expect(tagOf(await pool.run(task('answer'), nothing))).toBe('completed');
  });

  it.each([
    ['out-of-memory', 'ResourceExhausted', '--memory'],
    ['uncaught', 'InvariantBroken', 'nobody catches this'],
    ['exit', 'InvariantBroken', 'code 7'],
  ])('survives a thread that dies of %s and says %s', async (output, tag, text) => {
    const replaced: string[] = [];
    const pool = await startPool({ onReplaced: (name) => replaced.push(name) });
    const outcome = await pool.run(task(output), nothing);
    expect(tagOf(outcome)).toBe(tag);
    if (outcome.kind === 'failed') expect(outcome.error.sentence).toContain(text);
    expect(tagOf(await pool.run(task('answer'), nothing))).toBe('completed');
    expect(replaced).toEqual(['compute thread 1']);
  });

  it('reaches a task that computes without a pause when it reports progress', async () => {
    const pool = await startPool();
    const { outcome } = await begun(pool, task('spin'));
    pool.abandon(leaseKey(task('spin')));
    expect(await outcome).toMatchObject({ kind: 'completed', report: { warnings: ['yielded'] } });
  });

  it('ends the thread of an abandoned task that does not stop, and goes on with another', async () => {
    const pool = await startPool({ abandonGraceMs: 1 });
    const { outcome } = await begun(pool, task('stubborn'));
    pool.abandon(leaseKey(task('stubborn')));
    expect(tagOf(await outcome)).toBe('Cancelled');
    expect(tagOf(await pool.run(task('answer'), nothing))).toBe('completed');
  });

  it('ignores abandoning an attempt that it does not run', async () => {
    const pool = await startPool();
    const { outcome } = await begun(pool, task('wait', 2));
    pool.abandon(leaseKey(task('wait', 1)));
    pool.abandon(leaseKey(task('wait', 2)));
    expect(tagOf(await outcome)).toBe('StorageUnavailable');
  });

  it('ends running tasks as cancelled when it is closed', async () => {
    const pool = await startPool();
    const { outcome } = await begun(pool, task('stubborn'));
    await pool.close();
    expect(tagOf(await outcome)).toBe('Cancelled');
  });

  it('says so when the task bodies cannot be loaded', async () => {
    const taskModule = new URL('./fixtures/absent.mjs', import.meta.url);
    await expect(startPool({ taskModule })).rejects.toMatchObject({
      tag: 'InvariantBroken',
      message: expect.stringContaining('absent.mjs') as string,
    });
  });
});
