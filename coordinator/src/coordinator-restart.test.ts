import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JobService, JobState, type Job, type WatchJobResponse } from '@shardex/proto';
import { DEFAULT_DE_PARAMETERS } from '@shardex/shared/config';
import { connectRpc, parametersToWire, streamCall, unaryCall, type RpcClient } from '@shardex/shared/rpc';
import { startCoordinator, type CoordinatorOptions, type RunningCoordinator } from './coordinator-server.js';
import { ManualClock } from './testing/manual-clock.js';
import { RpcWorker } from './testing/rpc-worker.js';
import { ScriptedPlanner, type Script } from './testing/scripted-planner.js';

let state: string;
const cleanups: (() => Promise<void> | void)[] = [];
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'shardex-test-'));
});
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
  await rm(state, { recursive: true, force: true });
});

interface Setting {
  readonly coordinator: RunningCoordinator;
  readonly client: RpcClient;
  readonly planner: ScriptedPlanner;
  readonly clock: ManualClock;
  stop(): Promise<void>;
}

async function start(script: Script = {}, options: Partial<CoordinatorOptions> = {}): Promise<Setting> {
  const planner = new ScriptedPlanner(script);
  const clock = new ManualClock();
  const times = { leaseMs: 2_000, watchIntervalMs: 0, retryDelayMs: 0 };
  const coordinator = await startCoordinator({ planner, clock, state, ...times, ...options });
  const client = connectRpc(coordinator.address);
  let stopped: Promise<void> | null = null;
  const stop = (): Promise<void> => {
    client.close();
    return (stopped ??= coordinator.stop({ graceMs: 0 }));
  };
  cleanups.push(stop);
  return { coordinator, client, planner, clock, stop };
}

const spec = (input = 'screen.h5ad') => parametersToWire({ ...DEFAULT_DE_PARAMETERS, input, output: 'out' });

async function submit(client: RpcClient, input?: string): Promise<Job> {
  const { job } = await unaryCall(client, JobService.method.submitJob, { spec: spec(input) });
  return job ?? expect.fail('no job');
}

async function follow(client: RpcClient, jobId: string): Promise<WatchJobResponse[]> {
  const messages: WatchJobResponse[] = [];
  for await (const message of streamCall(client, JobService.method.watchJob, { jobId })) messages.push(message);
  return messages;
}

describe('a coordinator that is started again on the same state', () => {
  it('lists ended jobs with their end and their story', async () => {
    const first = await start({ tasksPerStage: 1 });
    const done = await submit(first.client);
    await (await RpcWorker.register(first.client)).work(2);
    await follow(first.client, done.id);
    const failing = await submit(first.client);
    const worker = await RpcWorker.register(first.client);
    await worker.fail((await worker.pull()) ?? expect.fail('no lease'), 'CorruptData', 'chunk 3 is damaged');
    await follow(first.client, failing.id);
    const before = (await unaryCall(first.client, JobService.method.listJobs, {})).jobs;
    const { events } = await unaryCall(first.client, JobService.method.listJobEvents, { jobId: failing.id });
    await first.stop();

    const second = await start();
    expect((await unaryCall(second.client, JobService.method.listJobs, {})).jobs).toEqual(before);
    expect(before.map((job) => [job.id, job.state])).toEqual([
      [failing.id, JobState.FAILED],
      [done.id, JobState.SUCCEEDED],
    ]);
    const told = await unaryCall(second.client, JobService.method.listJobEvents, { jobId: failing.id });
    expect(told.events).toEqual(events);
    expect((await follow(second.client, done.id)).at(-1)?.job?.state).toBe(JobState.SUCCEEDED);
    // Nothing is asked of the planner for what has ended.
    expect(second.planner.asked).toEqual([]);
  });

  it('goes on with a running job under its id, and with attempts where they were', async () => {
    const first = await start({ tasksPerStage: 2 });
    const { id, submittedUnixMs } = await submit(first.client);
    const worker = await RpcWorker.register(first.client);
    const lease = (await worker.pull()) ?? expect.fail('no lease');
    expect(lease.attempt).toBe(1);
    await first.stop();

    const second = await start({ tasksPerStage: 2 });
    const again = await RpcWorker.register(second.client);
    const next = (await again.pull()) ?? expect.fail('no lease');
    expect(next).toMatchObject({ jobId: id, taskId: lease.taskId, attempt: 2 });
    // The report of the attempt before, under the new registration, is not this attempt's.
    expect(await again.complete(lease)).toBe(false);
    expect(await again.complete(next)).toBe(true);
    await again.work(3);
    const messages = await follow(second.client, id);
    expect(messages.at(-1)?.job).toMatchObject({ state: JobState.SUCCEEDED, submittedUnixMs });
    expect(second.planner.asked.slice(0, 2)).toEqual([`restore ${id}`, 'plan scan']);
    const kinds = messages.flatMap(({ events }) => events.map(({ kind }) => kind));
    expect(kinds.filter((kind) => kind === 'job-submitted')).toHaveLength(1);
    expect(kinds).toContain('job-restored');
  });

  it('fails a job whose input has changed meanwhile, and says so', async () => {
    const first = await start();
    const { id } = await submit(first.client, 'changed.h5ad');
    await first.stop();
    const second = await start();
    const job = (await follow(second.client, id)).at(-1)?.job;
    expect(job?.state).toBe(JobState.FAILED);
    expect(job?.failure?.message).toContain('the unfinished run differs in: input file');
  });

  it('tells an early worker that it does not know it', async () => {
    const first = await start();
    const worker = await RpcWorker.register(first.client);
    await first.stop();
    const second = await start();
    const stranger = Object.assign(Object.create(RpcWorker.prototype) as RpcWorker, worker, { client: second.client });
    expect((await stranger.heartbeat()).unknownWorker).toBe(true);
  });

  it('ends what was being cancelled', async () => {
    const first = await start();
    const { id } = await submit(first.client);
    const worker = await RpcWorker.register(first.client);
    await worker.pull();
    const { job } = await unaryCall(first.client, JobService.method.cancelJob, { jobId: id, reason: 'enough' });
    expect(job?.state).toBe(JobState.CANCELLING);
    await first.stop();
    const second = await start();
    const after = (await unaryCall(second.client, JobService.method.getJob, { jobId: id })).job;
    expect(after).toMatchObject({ state: JobState.CANCELLED, failure: { message: 'the job was cancelled: enough' } });
  });

  it('keeps nothing without a state folder', async () => {
    const planner = new ScriptedPlanner();
    const plain = await startCoordinator({ planner, clock: new ManualClock() });
    cleanups.push(() => plain.stop({ graceMs: 0 }));
    const client = connectRpc(plain.address);
    cleanups.push(() => client.close());
    await submit(client);
    const second = await start();
    expect((await unaryCall(second.client, JobService.method.listJobs, {})).jobs).toEqual([]);
  });
});

describe('a second coordinator on the same state', () => {
  it('is refused while the first one lives', async () => {
    await start();
    await expect(start()).rejects.toMatchObject({
      tag: 'InvalidInput',
      message: expect.stringContaining('another coordinator keeps its jobs in') as string,
    });
  });

  it('that took over makes the first one stop: it accepts no job and concludes none', async () => {
    const first = await start({ tasksPerStage: 1 });
    const { id } = await submit(first.client);
    await writeFile(join(state, '.shardex-lock-000002'), '{}');
    await expect(submit(first.client)).rejects.toMatchObject({ tag: 'StaleAttempt' });
    expect((await first.coordinator.engine.whenEnded).tag).toBe('StaleAttempt');
    await expect(unaryCall(first.client, JobService.method.getJob, { jobId: id })).rejects.toMatchObject({
      tag: 'StaleAttempt',
    });
    expect(first.planner.asked.filter((one) => one.startsWith('conclude'))).toEqual([]);
  });

  it('is noticed by the heartbeat too', async () => {
    const first = await start();
    await writeFile(join(state, '.shardex-lock-000002'), '{}');
    first.clock.advance(5_000);
    expect((await first.coordinator.engine.whenEnded).tag).toBe('StaleAttempt');
  });
});
