import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { acceptedJob, addressOf, freePort, LoggingProcess, type LogLine } from '../support/standing-cluster.js';
import { hashes, runCluster, shardex, simulatedScreen } from '../support/shardex.js';

const FILES = ['nb_glm.h5ad', 'wilcoxon.h5ad', 't_test.h5ad', 'cells.parquet'];

let folder: string;
let screen: string;
let expected: Record<string, string>;
const running: LoggingProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
  screen = await simulatedScreen(folder);
  await runCluster(screen, join(folder, 'whole'));
  expected = await hashes(join(folder, 'whole'), FILES);
});
afterEach(async () => {
  for (const one of running) one.kill('SIGKILL');
  await Promise.all(running.splice(0).map(({ exited }) => exited));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function start(...args: string[]): LoggingProcess {
  const one = new LoggingProcess(args);
  running.push(one);
  return one;
}

async function startCoordinator(state: string, at?: string): Promise<LoggingProcess> {
  const options = ['--state', state, '--lease-ms', '3000', '--log-level', 'debug'];
  return start('coordinator', '--listen', at ?? `127.0.0.1:${await freePort()}`, ...options);
}

const startWorker = (address: string): LoggingProcess =>
  start('worker', '--coordinator', address, '--threads', '1', '--memory', '512MiB');

/** A worker is on the stage, or the coordinator. */
const reached = (stage: string) => (line: LogLine) =>
  line['stage'] === stage && line.event === (isTasks(stage) ? 'task-granted' : 'stage-started');
const isTasks = (stage: string): boolean => ['scan', 'control', 'dispersion', 'fit'].includes(stage);

const ended = (line: LogLine): boolean => ['job-succeeded', 'job-failed', 'job-cancelled'].includes(String(line.event));

/** Submits a job and returns as soon as it is accepted; nobody follows it. */
async function submit(address: string, output: string): Promise<string> {
  const client = start('de', screen, '--out', output, '--coordinator', address, '--json');
  const job = await acceptedJob(client);
  client.kill('SIGKILL');
  await client.exited;
  return job;
}

const shown = async (output: string): Promise<string[]> =>
  (await readdir(output)).filter((name) => !name.startsWith('.')).sort();

describe('a coordinator that is killed', () => {
  it('goes on after its restart with the same job, to the same bytes', async () => {
    const stage = 'dispersion';
    const state = join(folder, 'state-killed');
    const output = join(folder, 'killed');
    const first = await startCoordinator(state);
    const address = await addressOf(first);
    const workers = [startWorker(address), startWorker(address)];
    await Promise.all(workers.map((worker) => worker.said((line) => line.text === 'registered')));
    const job = await submit(address, output);
    await first.said(reached(stage));
    first.kill('SIGKILL');
    await first.exited;
    expect(first.lines.some(ended), 'the fault came too late').toBe(false);
    expect(await shown(output).catch(() => [])).not.toContain('run.json');

    const second = await startCoordinator(state, address);
    const end = await second.said(ended);
    expect(end, second.stderr).toMatchObject({ event: 'job-succeeded', job });
    expect(second.lines.filter(({ event }) => event === 'job-restored')).toHaveLength(1);
    // The workers are the ones that were there before; the job may end before both have found the coordinator again.
    const registrations = (worker: LoggingProcess): number =>
      worker.lines.filter((line) => line.text === 'registered').length;
    for (const worker of workers) await worker.said(() => registrations(worker) === 2);
    const watched = await shardex(['watch', job, '--coordinator', address, '--quiet']);
    expect(watched.exitCode, watched.stderr).toBe(0);
    const logs = await shardex(['logs', job, '--coordinator', address]);
    for (const text of ['stages scan, ', 'the coordinator was started again', 'every stage is done'])
      expect(logs.stdout).toContain(text);
    expect(await hashes(output, FILES)).toEqual(expected);
    const record = JSON.parse(await readFile(join(output, 'run.json'), 'utf8')) as {
      stages: { tasks_resumed: number }[];
    };
    expect(record.stages[0].tasks_resumed).toBeGreaterThan(0);
    second.kill('SIGTERM');
    expect(await second.exited).toBe(0);
    expect((await readdir(output)).sort()).toEqual([...FILES, 'run.json'].sort());
    expect((await readdir(state)).filter((name) => name.startsWith('.shardex-lock'))).toEqual([]);
  });

  it('and stopped again and again, loses no job that it accepted, and runs each to its end', async () => {
    const state = join(folder, 'state-often');
    let coordinator = await startCoordinator(state);
    const address = await addressOf(coordinator);
    const jobs: string[] = [];
    for (const name of ['one', 'two', 'three']) {
      jobs.push(await submit(address, join(folder, `often-${name}`)));
      coordinator.kill(name === 'two' ? 'SIGTERM' : 'SIGKILL');
      await coordinator.exited;
      coordinator = await startCoordinator(state, address);
      await addressOf(coordinator);
    }
    startWorker(address);
    for (const job of jobs) {
      const end = await coordinator.said((line) => ended(line) && line['job'] === job);
      expect(end.event).toBe('job-succeeded');
    }
    for (const name of ['one', 'two', 'three'])
      expect(await hashes(join(folder, `often-${name}`), FILES)).toEqual(expected);
    const list = await shardex(['jobs', '--coordinator', address, '--json']);
    const ids = list.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { job: string }).job);
    expect(ids).toEqual([...jobs].reverse());
  });
});

describe('workers that are killed', () => {
  it('are replaced by others, and the bytes are the same', async () => {
    const stage = 'fit';
    const output = join(folder, 'workers');
    const coordinator = await startCoordinator(join(folder, 'state-workers'));
    const address = await addressOf(coordinator);
    const victim = startWorker(address);
    const job = await submit(address, output);
    const granted = (line: LogLine): boolean => line.event === 'task-granted' && line['stage'] === stage;
    await coordinator.said(granted);
    victim.kill('SIGKILL');
    await victim.exited;
    startWorker(address);
    expect(await coordinator.said(ended)).toMatchObject({ event: 'job-succeeded', job });
    expect(await hashes(output, FILES)).toEqual(expected);
  });

  it('by SIGTERM finish or give back what they hold, which costs no attempt', async () => {
    const output = join(folder, 'drained');
    const coordinator = await startCoordinator(join(folder, 'state-drained'));
    const address = await addressOf(coordinator);
    const leaving = startWorker(address);
    await submit(address, output);
    await coordinator.said((line) => line.event === 'task-granted');
    leaving.kill('SIGTERM');
    expect(await leaving.exited).toBe(0);
    await coordinator.said((line) => line.event === 'worker-drained');
    startWorker(address);
    expect(await coordinator.said(ended)).toMatchObject({ event: 'job-succeeded' });
    expect(coordinator.lines.filter(({ event }) => event === 'task-retried')).toEqual([]);
    expect(await hashes(output, FILES)).toEqual(expected);
  });
});

describe('a task that costs two workers', () => {
  const granted = (stage: string, attempt: number) => (line: LogLine) =>
    line.event === 'task-granted' && line['stage'] === stage && line['attempt'] === attempt;

  async function killTwo(coordinator: LoggingProcess, address: string, stage: string): Promise<void> {
    for (const attempt of [1, 2]) {
      const victim = startWorker(address);
      await coordinator.said(granted(stage, attempt));
      victim.kill('SIGKILL');
      await victim.exited;
    }
    await coordinator.said((line) => line.event === 'task-split' && line['stage'] === stage);
  }

  const tasksOf = async (output: string): Promise<Record<string, number>> => {
    const record = await readFile(join(output, 'run.json'), 'utf8');
    const { stages } = JSON.parse(record) as { stages: { name: string; tasks: number }[] };
    return Object.fromEntries(stages.map(({ name, tasks }) => [name, tasks]));
  };

  it('is done in halves, to the same bytes', async () => {
    const stage = 'control';
    const output = join(folder, 'split');
    const coordinator = await startCoordinator(join(folder, 'state-split'));
    const address = await addressOf(coordinator);
    const job = await submit(address, output);
    await killTwo(coordinator, address, stage);
    startWorker(address);
    expect(await coordinator.said(ended), coordinator.stderr).toMatchObject({ event: 'job-succeeded', job });
    expect(await tasksOf(output)).toMatchObject({ [stage]: 2 });
    expect(await hashes(output, FILES)).toEqual(expected);
  });

  it('stays halved when the coordinator is killed afterwards', async () => {
    const state = join(folder, 'state-split-killed');
    const output = join(folder, 'split-killed');
    const first = await startCoordinator(state);
    const address = await addressOf(first);
    await submit(address, output);
    await killTwo(first, address, 'scan');
    startWorker(address);
    await first.said((line) => line.event === 'task-done');
    first.kill('SIGKILL');
    await first.exited;
    const second = await startCoordinator(state, address);
    expect(await second.said(ended), second.stderr).toMatchObject({ event: 'job-succeeded' });
    expect(await tasksOf(output)).toMatchObject({ scan: 2 });
    expect(await hashes(output, FILES)).toEqual(expected);
  });
});

describe('scratch that is lost while a job runs', () => {
  it('is made again, all of it', async () => {
    const stage = 'fit';
    const output = join(folder, 'scratch');
    const coordinator = await startCoordinator(join(folder, 'state-scratch'));
    const address = await addressOf(coordinator);
    const first = startWorker(address);
    const job = await submit(address, output);
    await coordinator.said((line) => line.event === 'task-granted' && line['stage'] === stage);
    // Whoever has read it before may not need it again.
    first.kill('SIGKILL');
    await first.exited;
    await rm(join(output, '.shardex-scratch'), { recursive: true });
    startWorker(address);
    expect(await coordinator.said(ended), coordinator.stderr).toMatchObject({ event: 'job-succeeded', job });
    expect(coordinator.lines.some(({ event }) => event === 'stage-reopened')).toBe(true);
    expect(await hashes(output, FILES)).toEqual(expected);
  });
});

describe('two at once', () => {
  it('coordinators on one state: the second refuses, naming the first', async () => {
    const state = join(folder, 'state-two');
    const first = await startCoordinator(state);
    await addressOf(first);
    const second = await startCoordinator(state);
    expect(await second.exited).toBe(2);
    expect(second.stderr).toContain(`another coordinator keeps its jobs in ${state}: process ${first.pid} on `);
  });

  it('runs into one folder: the second refuses, naming the first, which goes on', async () => {
    const output = join(folder, 'both');
    const first = start('de', screen, '--out', output, '--workers', '1', '--json');
    await first.said((line) => JSON.stringify(line).includes('"scan"'));
    // It stands still, so that it is not done before the others have tried.
    first.kill('SIGSTOP');
    for (const more of [[], ['--force'], ['--resume']]) {
      const second = await shardex(['de', screen, '--out', output, '--quiet', ...more]);
      expect(second.exitCode).toBe(2);
      expect(second.stderr).toContain(`another run is writing to ${output}: process ${first.pid} on `);
    }
    first.kill('SIGCONT');
    expect(await first.exited).toBe(0);
    expect(await hashes(output, FILES)).toEqual(expected);
  });

  it('a run that was killed does not keep its folder', async () => {
    const output = join(folder, 'stale');
    const first = start('de', screen, '--out', output, '--workers', '1', '--json');
    await first.said((line) => JSON.stringify(line).includes('"scan"'));
    first.kill('SIGKILL');
    await first.exited;
    expect((await readdir(output)).some((name) => name.startsWith('.shardex-lock'))).toBe(true);
    const second = await shardex(['de', screen, '--out', output, '--quiet', '--resume']);
    expect(second.exitCode, second.stderr).toBe(0);
    expect(await hashes(output, FILES)).toEqual(expected);
    expect((await readdir(output)).sort()).toEqual([...FILES, 'run.json'].sort());
  });
});

describe('a job that is cancelled', () => {
  it('is let go of by its worker, leaves nothing to be seen, and the next job runs', async () => {
    const output = join(folder, 'cancelled');
    const coordinator = await startCoordinator(join(folder, 'state-cancelled'));
    const address = await addressOf(coordinator);
    startWorker(address);
    const job = await submit(address, output);
    await coordinator.said((line) => line.event === 'task-granted' && line['stage'] === 'scan');
    expect((await shardex(['cancel', job, '--coordinator', address])).exitCode).toBe(0);
    expect(await coordinator.said(ended)).toMatchObject({ event: 'job-cancelled', job });
    expect(await shown(output)).toEqual([]);
    await mkdir(join(folder, 'next'));
    const next = await shardex(['de', screen, '--out', join(folder, 'next'), '--coordinator', address, '--quiet']);
    expect(next.exitCode, next.stderr).toBe(0);
    expect(await hashes(join(folder, 'next'), FILES)).toEqual(expected);
  });
});
