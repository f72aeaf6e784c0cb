import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { JobService } from '@shardex/proto';
import { DEFAULT_DE_PARAMETERS } from '@shardex/shared/config';
import { connectRpc, parametersToWire, unaryCall } from '@shardex/shared/rpc';
import { addressOf, type LogLine, type LoggingProcess } from '../support/standing-cluster.js';
import { shardex } from '../support/shardex.js';
import { FaultBench } from './fault-bench.js';

const PRELOAD = new URL('preload/other-version.mjs', import.meta.url).href;
const PATIENT = ['--lease-ms', '60000'];

describe('workers that come', () => {
  let bench: FaultBench;
  beforeAll(async () => {
    bench = await FaultBench.open();
  });
  afterEach(() => bench.killAll());
  afterAll(() => bench.close());

  it('in another version are refused with one sentence, and end', async () => {
    const { output, state } = bench.place();
    const coordinator = await bench.coordinator(state);
    const address = await addressOf(coordinator);
    const other = bench.worker(address, { environment: { NODE_OPTIONS: `--import ${PRELOAD}` } });
    expect(await other.exited).toBe(2);
    const said = other.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/is shardex 9\.9\.9, the coordinator \d+\.\d+\.\d+.*install the same version on both/);
    await bench.workers(address, 1);
    await bench.submit(coordinator, output);
    await bench.survived(coordinator, output, 'a worker of another version, refused');
    expect(coordinator.lines.filter((line) => line.event === 'worker-registered')).toHaveLength(1);
    await bench.leavesNothing(coordinator, output, state);
  });

  it('by fifty at once all find work', async () => {
    const { output, state } = bench.place();
    const coordinator = await bench.coordinator(state, { more: PATIENT });
    await bench.submit(coordinator, output);
    await bench.workers(await addressOf(coordinator), 50);
    await bench.survived(coordinator, output, 'fifty workers at once');
    const named = (event: string): Set<unknown> =>
      new Set(coordinator.lines.filter((line) => line.event === event).map((line) => line['worker']));
    expect(named('worker-registered').size).toBe(50);
    expect(named('worker-lost').size).toBe(0);
    await bench.leavesNothing(coordinator, output, state);
  });
});

/** Above the default limit of one user. */
const MANY_JOBS = [...PATIENT, '--max-jobs-per-user', '500'];

describe('two hundred queued jobs', () => {
  const JOBS = 200;
  const OUTPUTS = ['t_test.h5ad', 'cells.parquet'];
  let bench: FaultBench;
  beforeAll(async () => {
    bench = await FaultBench.open('--cells 300 --genes 40 --perturbations 4 --depth 100 --seed 7'.split(' '));
  });
  afterEach(() => bench.killAll());
  afterAll(() => bench.close());

  const bytesOf = (folder: string): Promise<string[]> =>
    Promise.all(
      OUTPUTS.map(async (file) => {
        const bytes = await readFile(join(folder, file));
        return createHash('sha256').update(bytes).digest('hex');
      }),
    );

  /** Submits jobs from several clients at once. */
  async function submitAll(address: string, folder: string): Promise<string[]> {
    const client = connectRpc(address);
    const ids: string[] = [];
    const next = Array.from({ length: JOBS }, (_, i) => join(folder, `${i}`)).values();
    const submit = async (): Promise<void> => {
      for (const output of next) {
        const spec = parametersToWire({ ...DEFAULT_DE_PARAMETERS, tests: ['t-test'], input: bench.screen, output });
        const { job } = await unaryCall(client, JobService.method.submitJob, { spec });
        ids.push(job?.id ?? '');
      }
    };
    try {
      await Promise.all(Array.from({ length: 8 }, submit));
    } finally {
      client.close();
    }
    return ids;
  }

  const succeeded = ({ lines }: LoggingProcess): unknown[] =>
    lines.filter(({ event }) => event === 'job-succeeded').map((line) => line['job']);

  it('all end, although the coordinator is killed in the middle of them', async () => {
    const { output, state } = bench.place();
    const whole = join(bench.folder, 't-test-only');
    const alone = await shardex(['de', bench.screen, '--out', whole, '--tests', 't-test', '--workers', '1', '--quiet']);
    expect(alone.exitCode, alone.stderr).toBe(0);
    const first = await bench.coordinator(state, { more: MANY_JOBS });
    const address = await addressOf(first);
    const ids = await submitAll(address, output);
    expect(new Set(ids).size).toBe(JOBS);
    const workers = await bench.workers(address, 2);
    const ends = new Set<unknown>();
    const haveEnded = (count: number) => (line: LogLine) =>
      line.event === 'job-succeeded' && ends.add(line['job']).size >= count;
    await first.said(haveEnded(JOBS / 4));
    first.kill('SIGKILL');
    await first.exited;
    const before = succeeded(first).length;
    expect(before).toBeLessThan(JOBS);
    const second = await bench.coordinator(state, { at: address, more: MANY_JOBS });
    for (const job of succeeded(first)) ends.add(job);
    await second.said(haveEnded(JOBS));
    expect(ends).toEqual(new Set(ids));
    const expected = await bytesOf(whole);
    for (let i = 0; i < JOBS; i++) expect(await bytesOf(join(output, `${i}`))).toEqual(expected);
    process.stderr.write(`chaos: ${JOBS} queued jobs, SIGKILL of the coordinator after ${before}: all survived\n`);
    // A worker that goes from job to job closes what it read.
    for (const worker of workers) expect(worker.stderr).not.toContain('garbage collection');
    await bench.leavesNothing(second, null, state);
  });
});
