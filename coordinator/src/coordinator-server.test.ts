import { afterEach, describe, expect, it } from 'vitest';
import { Client, credentials } from '@grpc/grpc-js';
import {
  JobService,
  JobState,
  StageState,
  Test,
  WorkerService,
  type Job,
  type Lease,
  type WatchJobResponse,
} from '@shardex/proto';
import { DEFAULT_DE_PARAMETERS } from '@shardex/shared/config';
import { ShardexError } from '@shardex/shared/errors';
import {
  MAX_MESSAGE_BYTES,
  connectRpc,
  parametersToWire,
  streamCall,
  unaryCall,
  type RpcClient,
} from '@shardex/shared/rpc';
import { startCoordinator, type CoordinatorOptions, type RunningCoordinator } from './coordinator-server.js';
import { ManualClock } from './testing/manual-clock.js';
import { RpcWorker } from './testing/rpc-worker.js';
import { ScriptedPlanner, type Script } from './testing/scripted-planner.js';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

interface Setting {
  readonly coordinator: RunningCoordinator;
  readonly client: RpcClient;
  readonly planner: ScriptedPlanner;
  readonly clock: ManualClock;
}

const LEASE_MS = 2_000;

async function start(script: Script = {}, options: Partial<CoordinatorOptions> = {}): Promise<Setting> {
  const planner = new ScriptedPlanner(script);
  const clock = new ManualClock();
  const coordinator = await startCoordinator({
    planner,
    clock,
    leaseMs: LEASE_MS,
    heartbeatMs: 500,
    watchIntervalMs: 0,
    retryDelayMs: 0,
    ...options,
  });
  const client = connectRpc(coordinator.address);
  cleanups.push(() => coordinator.stop({ graceMs: 0 }));
  cleanups.push(() => client.close());
  return { coordinator, client, planner, clock };
}

const spec = (input = 'screen.h5ad') => parametersToWire({ ...DEFAULT_DE_PARAMETERS, input, output: 'out' });

async function submit(client: RpcClient): Promise<Job> {
  const { job } = await unaryCall(client, JobService.method.submitJob, { spec: spec() });
  return job as Job;
}

async function follow(client: RpcClient, jobId: string): Promise<WatchJobResponse[]> {
  const messages: WatchJobResponse[] = [];
  for await (const message of streamCall(client, JobService.method.watchJob, { jobId })) messages.push(message);
  return messages;
}

const failureOf = (call: Promise<unknown>): Promise<ShardexError> =>
  call.then(
    () => expect.fail('the call should have failed'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(ShardexError);
      return error as ShardexError;
    },
  );

describe('a job over gRPC', () => {
  it('goes through tasks and reductions to success, and a watcher sees all of it', async () => {
    const { client, planner } = await start();
    const submitted = await submit(client);
    const watched = follow(client, submitted.id);
    const worker = await RpcWorker.register(client);
    const leases = await worker.work(6);
    const messages = await watched;
    const last = messages.at(-1)?.job;

    expect(leases.map((lease) => lease.output)).toEqual([
      'scan/0.bundle',
      'scan/1.bundle',
      'scan/2.bundle',
      'fit/0.bundle',
      'fit/1.bundle',
      'fit/2.bundle',
    ]);
    expect(last?.state).toBe(JobState.SUCCEEDED);
    expect(last?.stages.map((stage) => [stage.name, stage.state, stage.tasksDone])).toEqual([
      ['scan', StageState.DONE, 3],
      ['size-factors', StageState.DONE, 0],
      ['fit', StageState.DONE, 3],
    ]);
    expect(last?.warnings).toEqual(['it is a script']);
    expect(planner.asked.slice(0, 4)).toEqual(['prepare screen.h5ad', 'plan scan', 'reduce size-factors', 'plan fit']);
    expect(planner.committed).toEqual(leases.map((lease) => lease.output));
    expect(planner.lastHistory?.stages[0]).toMatchObject({ tasks: 3, bytesRead: 30, nonzeros: 21, retries: 0 });
    expect(planner.lastHistory?.workers).toEqual([
      { workerId: worker.workerId, host: 'here', tasks: 3, failures: 0, peakResidentBytes: 99 },
    ]);
    const kinds = messages.flatMap((message) => message.events.map((event) => event.kind));
    expect(kinds.filter((kind) => kind === 'task-done')).toHaveLength(6);
    expect(kinds.at(-1)).toBe('job-succeeded');
    const { events } = await unaryCall(client, JobService.method.listJobEvents, { jobId: submitted.id });
    expect(events.map((event) => event.kind)).toEqual(kinds);
  });

  it.each([
    ['9.9.9', 'the worker on here is shardex 9.9.9, the coordinator '],
    ['', 'the worker on here is shardex of an unknown version, the coordinator '],
  ])('refuses a worker of version "%s", for good', async (version, sentence) => {
    const { client, coordinator } = await start();
    const refusal = await RpcWorker.register(client, 2 ** 30, version).catch((error: unknown) => error as ShardexError);
    expect(refusal).toMatchObject({ tag: 'UnsupportedData' });
    expect((refusal as ShardexError).message).toContain(sentence);
    expect(coordinator.engine.workers()).toEqual([]);
  });

  it('answers a pull that was waiting before there was work', async () => {
    const { client } = await start();
    const worker = await RpcWorker.register(client);
    const waiting = worker.pull();
    await submit(client);
    expect((await waiting)?.output).toBe('scan/0.bundle');
  });

  it('answers a pull with nothing when its time is over', async () => {
    const { client, clock, coordinator } = await start();
    const worker = await RpcWorker.register(client);
    const waiting = worker.pull(1_000);
    // The call is on its way; a heartbeat on the same connection arrives behind it.
    await worker.heartbeat();
    expect(coordinator.engine.workers()).toHaveLength(1);
    clock.advance(1_000);
    expect(await waiting).toBeNull();
  });

  it('fails with the story of the task that failed too often', async () => {
    const { client } = await start();
    const { id } = await submit(client);
    const worker = await RpcWorker.register(client);
    for (let attempt = 1; attempt <= 4; attempt++) {
      const lease = await worker.pull();
      expect(lease).toMatchObject({ output: 'scan/0.bundle', attempt });
      if (lease !== null) await worker.fail(lease, 'StorageUnavailable', `the disk blinked ${attempt}`);
    }
    const job = (await follow(client, id)).at(-1)?.job;
    expect(job?.state).toBe(JobState.FAILED);
    expect(job?.failure).toMatchObject({
      tag: 'StorageUnavailable',
      message: 'stage scan failed after 4 attempts: the disk blinked 4',
    });
    expect(job?.failure?.details['story']).toContain('attempt 1 at');
    expect(job?.failure?.details['story']).toContain('the disk blinked 3');
    expect(job?.stages[0]).toMatchObject({ state: StageState.FAILED, retries: 3 });
  });

  it('gives an expired lease to another worker and ignores the late report', async () => {
    const { client, clock } = await start({ tasksPerStage: 1 });
    const { id } = await submit(client);
    const lost = await RpcWorker.register(client);
    const lease = await lost.pull();
    if (lease === null) return expect.fail('no lease');
    clock.advance(LEASE_MS + 200);
    const other = await RpcWorker.register(client);
    const again = await other.pull();
    expect(again).toMatchObject({ taskId: lease.taskId, attempt: 2 });
    expect(await lost.complete(lease)).toBe(false);
    expect(await lost.heartbeat(lease)).toEqual({ abandon: [lease.taskId], unknownWorker: true });
    if (again !== null) expect(await other.complete(again)).toBe(true);
    await other.work(1);
    const messages = await follow(client, id);
    expect(messages.at(-1)?.job?.state).toBe(JobState.SUCCEEDED);
    const retried = messages.flatMap((message) => message.events).find((event) => event.kind === 'task-retried');
    expect(retried).toMatchObject({ taskId: lease.taskId, workerId: lost.workerId, attempt: 1 });
    expect(retried?.text).toContain('on here was not heard of for');
  });

  it('keeps a lease that heartbeats name, and lets one run out that they never name', async () => {
    const { client, clock } = await start({ tasksPerStage: 2 });
    await submit(client);
    const worker = await RpcWorker.register(client);
    const kept = await worker.pull();
    const unnamed = await worker.pull();
    if (kept === null || unnamed === null) return expect.fail('no lease');
    for (let beat = 0; beat < 6; beat++) {
      clock.advance(500);
      await worker.heartbeat(kept);
    }
    expect(await worker.complete(kept)).toBe(true);
    expect(await worker.complete(unnamed)).toBe(false);
    expect(await worker.pull()).toMatchObject({ taskId: unnamed.taskId, attempt: 2 });
  });

  it('is cancelled once its worker has let go', async () => {
    const { client, planner } = await start();
    const { id } = await submit(client);
    const worker = await RpcWorker.register(client);
    const lease = await worker.pull();
    if (lease === null) return expect.fail('no lease');
    const { job } = await unaryCall(client, JobService.method.cancelJob, { jobId: id, reason: 'changed my mind' });
    expect(job?.state).toBe(JobState.CANCELLING);
    expect(await worker.heartbeat(lease)).toEqual({ abandon: [lease.taskId], unknownWorker: false });
    expect(await worker.fail(lease, 'Cancelled', 'abandoned')).toBe(false);
    const last = (await follow(client, id)).at(-1)?.job;
    expect(last?.state).toBe(JobState.CANCELLED);
    expect(last?.failure).toMatchObject({ tag: 'Cancelled', message: 'the job was cancelled: changed my mind' });
    expect(planner.asked.at(-1)).toBe(`conclude cancelled ${id}`);
  });

  it('aborts a reduction that is under way when it is cancelled', async () => {
    const begun = deferred();
    const { client } = await start({
      stages: [{ name: 'merge', executor: 'coordinator' }],
      reduce: (_stage, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('stopped')));
          begun.resolve();
        }),
    });
    const { id } = await submit(client);
    await begun.promise;
    await unaryCall(client, JobService.method.cancelJob, { jobId: id, reason: '' });
    expect((await follow(client, id)).at(-1)?.job?.state).toBe(JobState.CANCELLED);
  });

  it('takes a job into the folder of one that has just ended once that one has let go of it', async () => {
    const letGo = deferred();
    const { client, planner } = await start({ conclude: () => letGo.promise });
    const { id } = await submit(client);
    await unaryCall(client, JobService.method.cancelJob, { jobId: id, reason: '' });
    expect((await follow(client, id)).at(-1)?.job?.state).toBe(JobState.CANCELLED);
    const next = submit(client);
    // Calls of one connection arrive in order: when this one is answered, the submission has come.
    await unaryCall(client, JobService.method.listJobs, {});
    expect(planner.asked).toEqual(['prepare screen.h5ad', 'plan scan']);
    letGo.resolve();
    await next;
    expect(planner.asked.slice(2, 4)).toEqual([`conclude cancelled ${id}`, 'prepare screen.h5ad']);
  });

  it.each(['failed', 'cancelling'])(
    'takes a job into the folder of a %s one once workers have put it down',
    async (how) => {
      const { client, planner } = await start();
      const { id } = await submit(client);
      const worker = await RpcWorker.register(client);
      const [held, other] = [await worker.pull(), await worker.pull()] as [Lease, Lease];
      if (how === 'failed') await worker.fail(other, 'InvalidInput', 'the file has changed');
      else await unaryCall(client, JobService.method.cancelJob, { jobId: id, reason: '' });
      const next = submit(client);
      // Answered after the submission has come, and with what the worker is to put down.
      expect((await worker.heartbeat(held)).abandon).toEqual([held.taskId]);
      expect(planner.asked).toEqual(['prepare screen.h5ad', 'plan scan']);
      await worker.fail(held, 'Cancelled', 'its job has stopped');
      if (how === 'cancelling') await worker.fail(other, 'Cancelled', 'its job has stopped');
      expect((await next).id).not.toBe(id);
      const end = how === 'failed' ? how : 'cancelled';
      expect(planner.asked.slice(2, 4)).toEqual([`conclude ${end} ${id}`, 'prepare screen.h5ad']);
    },
  );

  it('refuses bad input with the sentence, the hint and the details', async () => {
    const { client } = await start();
    const error = await failureOf(unaryCall(client, JobService.method.submitJob, { spec: spec('bad.h5ad') }));
    expect(error).toMatchObject({
      tag: 'InvalidInput',
      message: 'bad.h5ad has no column "guide"',
      hint: 'choose one of a, b',
      details: { column: 'guide' },
    });
    expect(await unaryCall(client, JobService.method.listJobs, {})).toMatchObject({ jobs: [] });
    expect(await failureOf(unaryCall(client, JobService.method.submitJob, {}))).toMatchObject({ tag: 'InvalidInput' });
  });

  it('streams results of a finished job in chunks', async () => {
    const big = new Uint8Array(600_000).fill(65);
    const { client } = await start({ tasksPerStage: 0, results: [new TextEncoder().encode('gene\n'), big] });
    const { id } = await submit(client);
    await follow(client, id);
    let bytes = 0;
    let chunks = 0;
    for await (const { chunk } of streamCall(client, JobService.method.getResults, { jobId: id, test: Test.NB_GLM })) {
      bytes += chunk.length;
      chunks += 1;
    }
    expect([bytes, chunks]).toEqual([600_005, 4]);
  });

  it('has no results before its end', async () => {
    const { client } = await start();
    const { id } = await submit(client);
    const reading = streamCall(client, JobService.method.getResults, { jobId: id, test: Test.NB_GLM }).next();
    expect(await failureOf(reading)).toMatchObject({
      tag: 'InvalidInput',
      message: `job ${id} has no results: it is queued`,
    });
  });
});

describe('the connection', () => {
  it('tells a worker that it does not know to register again', async () => {
    const { client } = await start();
    const pull = unaryCall(client, WorkerService.method.pullTask, { workerId: 'nobody', waitMs: 10 });
    expect(await failureOf(pull)).toMatchObject({ tag: 'WorkerLost', hint: 'register again' });
  });

  it('ends a call at its deadline', async () => {
    const { client } = await start();
    const worker = await RpcWorker.register(client);
    const request = { workerId: worker.workerId, waitMs: 20_000 };
    const call = unaryCall(client, WorkerService.method.pullTask, request, { deadlineMs: 50 });
    expect((await failureOf(call)).tag).toBe('DeadlineExceeded');
  });

  it('ends a call when the caller aborts, and gives a task that was granted meanwhile to the next', async () => {
    const { client } = await start({ tasksPerStage: 1 });
    const worker = await RpcWorker.register(client);
    const controller = new AbortController();
    const waiting = worker.pull(20_000, controller.signal);
    controller.abort();
    expect((await failureOf(waiting)).tag).toBe('Cancelled');
    await worker.heartbeat();
    await submit(client);
    expect(await worker.pull()).toMatchObject({ output: 'scan/0.bundle' });
  });

  it('refuses a message that is too large', async () => {
    const { client } = await start();
    const reason = 'x'.repeat(MAX_MESSAGE_BYTES + 1);
    const call = unaryCall(client, JobService.method.cancelJob, { jobId: 'any', reason });
    expect((await failureOf(call)).tag).toBe('ResourceExhausted');
  });

  it('says so when nobody answers', async () => {
    const { client, coordinator } = await start();
    await coordinator.stop({ graceMs: 0 });
    const error = await failureOf(unaryCall(client, JobService.method.listJobs, {}));
    expect(error.tag).toBe('StorageUnavailable');
    expect(error.hint).toContain('check that the coordinator is running');
  });

  it('ends a watch with an error when the coordinator stops before the job does', async () => {
    const { client, coordinator } = await start();
    const { id } = await submit(client);
    const stream = streamCall(client, JobService.method.watchJob, { jobId: id });
    await stream.next();
    await coordinator.stop({ graceMs: 1_000 });
    const rest = (async () => {
      for await (const message of stream) void message;
    })();
    const hint = expect.stringContaining('submit again with --resume') as string;
    expect(await failureOf(rest)).toMatchObject({ tag: 'Cancelled', hint });
  });

  it('does not listen beyond this machine unless told to', async () => {
    const planner = new ScriptedPlanner();
    const error = await failureOf(startCoordinator({ planner, host: '0.0.0.0' }));
    expect(error).toMatchObject({ tag: 'InvalidInput' });
    const open = await startCoordinator({ planner, host: '0.0.0.0', allowInsecure: true, clock: new ManualClock() });
    await open.stop({ graceMs: 0 });
  });

  it('refuses a port that is taken', async () => {
    const { coordinator, planner } = await start();
    const port = Number(coordinator.address.split(':').at(-1));
    const error = await failureOf(startCoordinator({ planner, port, clock: new ManualClock() }));
    expect(error).toMatchObject({ tag: 'InvalidInput' });
  });

  it('answers health checks', async () => {
    const { coordinator } = await start();
    const client = new Client(coordinator.address, credentials.createInsecure());
    const answer = await new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest(
        '/grpc.health.v1.Health/Check',
        (request: Buffer) => request,
        (bytes) => bytes,
        Buffer.alloc(0),
        (error, bytes) => (error === null ? resolve(bytes as Buffer) : reject(error)),
      );
    });
    client.close();
    // HealthCheckResponse { status: SERVING }.
    expect([...answer]).toEqual([8, 1]);
  });

  it('describes its services by reflection', async () => {
    const { coordinator } = await start();
    // ServerReflectionRequest { list_services = 7 } and { file_containing_symbol = 4 }.
    const ask = (field: number, value: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const client = new Client(coordinator.address, credentials.createInsecure());
        const same = (bytes: Buffer): Buffer => bytes;
        const call = client.makeBidiStreamRequest(
          '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
          same,
          same,
        );
        call.on('data', (bytes: Buffer) => {
          call.end();
          client.close();
          resolve(bytes.toString('latin1'));
        });
        call.on('error', reject);
        call.write(Buffer.from([(field << 3) | 2, value.length, ...Buffer.from(value)]));
      });
    const services = await ask(7, '*');
    expect(services).toContain('shardex.v1.JobService');
    expect(services).toContain('shardex.v1.WorkerService');
    expect(await ask(4, 'shardex.v1.WorkerService')).toContain('PullTask');
  });

  it('serves metrics and probes only where asked', async () => {
    const { client, coordinator } = await start({ tasksPerStage: 1 }, { metricsPort: 0 });
    expect((await start()).coordinator.metricsAddress).toBeNull();
    const { id } = await submit(client);
    await (await RpcWorker.register(client)).work(2);
    await follow(client, id);
    const get = async (path: string) => {
      const response = await fetch(`http://${coordinator.metricsAddress}${path}`);
      return [response.status, await response.text()] as const;
    };
    expect(await get('/healthz')).toEqual([200, 'ok\n']);
    expect(await get('/readyz')).toEqual([200, 'ok\n']);
    expect((await get('/else'))[0]).toBe(404);
    const [, text] = await get('/metrics');
    expect(text).toMatch(/shardex_tasks_total\{stage="[^"]+",state="done"\} 1/);
    expect(text).toContain('shardex_jobs_total{state="succeeded"} 1');
    expect(text).toContain('shardex_nonzeros_total 14');
    expect(text).toContain('shardex_workers 1');
    expect(text).toContain('shardex_queue_depth 0');
    expect(text).toMatch(/shardex_job_duration_seconds_count\{state="succeeded"\} 1/);
    expect(text).toMatch(/grpc_server_handled_total\{.*grpc_method="CompleteTask",grpc_code="OK"\} 2/);
    expect(text).toContain('process_resident_memory_bytes');
  });
});

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
