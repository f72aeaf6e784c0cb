import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { JobService, JobState, WorkerService } from '@shardex/proto';
import { DEFAULT_DE_PARAMETERS } from '@shardex/shared/config';
import {
  MAX_MESSAGE_BYTES,
  PLAINTEXT,
  connectRpc,
  parametersToWire,
  streamCall,
  unaryCall,
  type RpcClient,
} from '@shardex/shared/rpc';
import { startCoordinator, type CoordinatorOptions, type RunningCoordinator } from './coordinator-server.js';
import { ManualClock } from './testing/manual-clock.js';
import { RpcWorker } from './testing/rpc-worker.js';
import { ScriptedPlanner } from './testing/scripted-planner.js';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');
const TOKENS = `alice submit ${hashOf('a')}\nbob read ${hashOf('b')}\ncarol submit ${hashOf('c')}\nmaria manage ${hashOf('m')}\nnode work ${hashOf('n')}\n`;

interface Setting {
  readonly coordinator: RunningCoordinator;
  readonly clock: ManualClock;
  readonly tokens: string;
  /** A client that shows a token. */
  as(token: string | null): RpcClient;
}

/** A coordinator at loopback that knows the tokens above. */
async function start(options: Partial<CoordinatorOptions> = {}): Promise<Setting> {
  const folder = mkdtempSync(join(tmpdir(), 'shardex-security-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const tokens = join(folder, 'tokens');
  writeFileSync(tokens, TOKENS);
  const clock = new ManualClock();
  const security = { tlsCert: null, tlsKey: null, tlsCa: null, tokens };
  const coordinator = await startCoordinator({ planner: new ScriptedPlanner({}), clock, security, ...options });
  cleanups.push(() => coordinator.stop({ graceMs: 0 }));
  const as = (token: string | null): RpcClient => {
    const client = connectRpc(coordinator.address, { ...PLAINTEXT, token: () => token });
    cleanups.push(() => client.close());
    return client;
  };
  return { coordinator, clock, tokens, as };
}

const spec = parametersToWire({ ...DEFAULT_DE_PARAMETERS, input: 'screen.h5ad', output: 'out' });
const submit = (client: RpcClient) => unaryCall(client, JobService.method.submitJob, { spec });
const list = (client: RpcClient) => unaryCall(client, JobService.method.listJobs, {});
const cancel = (client: RpcClient, jobId: string) =>
  unaryCall(client, JobService.method.cancelJob, { jobId, reason: 'enough' });

describe('a coordinator with tokens', () => {
  it('lets each do what its scopes say, and tells the others why not', async () => {
    const { as } = await start();
    await submit(as('a'));
    expect((await list(as('b'))).jobs).toHaveLength(1);
    await RpcWorker.register(as('n'));
    const unknown = { tag: 'InvalidInput', message: 'the coordinator does not know who calls' };
    for (const token of [null, 'wrong']) {
      await expect(list(as(token))).rejects.toMatchObject(unknown);
      await expect(submit(as(token))).rejects.toMatchObject(unknown);
      await expect(RpcWorker.register(as(token))).rejects.toMatchObject(unknown);
    }
    await expect(submit(as('b'))).rejects.toMatchObject({ message: 'token bob has not the right to submit' });
    await expect(list(as('n'))).rejects.toMatchObject({ message: 'token node has not the right to read' });
    await expect(RpcWorker.register(as('a'))).rejects.toMatchObject({
      message: 'token alice has not the right to work',
    });
  });

  it('lets a job be cancelled by whom it belongs to, and by a manager', async () => {
    const { as } = await start();
    const submitted = async (token: string): Promise<string> => (await submit(as(token))).job?.id ?? '';
    const [alices, carols] = [await submitted('a'), await submitted('c')];
    await expect(cancel(as('c'), alices)).rejects.toMatchObject({
      tag: 'InvalidInput',
      message: `job ${alices} belongs to token alice`,
    });
    await expect(cancel(as('b'), alices)).rejects.toMatchObject({ message: 'token bob has not the right to submit' });
    const { jobs } = await list(as('b'));
    expect(jobs.map(({ id, owner }) => [id, owner])).toEqual([
      [carols, 'token carol'],
      [alices, 'token alice'],
    ]);
    expect((await cancel(as('a'), alices)).job?.state).toBe(JobState.CANCELLED);
    expect((await cancel(as('m'), carols)).job?.state).toBe(JobState.CANCELLED);
  });

  it('answers with the codes that gRPC has for it, and does not ask a probe', async () => {
    const { coordinator } = await start();
    const client = new Client(coordinator.address, credentials.createInsecure());
    cleanups.push(() => client.close());
    const call = (path: string): Promise<status> =>
      new Promise((resolve) =>
        client.makeUnaryRequest<Buffer, Buffer>(
          path,
          (bytes) => bytes,
          (bytes) => bytes,
          Buffer.alloc(0),
          (error: ServiceError | null) => resolve(error?.code ?? status.OK),
        ),
      );
    expect(await call('/grpc.health.v1.Health/Check')).toBe(status.OK);
    expect(await call(`/${JobService.typeName}/ListJobs`)).toBe(status.UNAUTHENTICATED);
    expect(await call(`/${WorkerService.typeName}/PullTask`)).toBe(status.UNAUTHENTICATED);
  });

  it('reads the file again when it changes; one that is wrong changes nothing', async () => {
    const { as, clock, tokens } = await start();
    writeFileSync(tokens, 'what is this');
    clock.advance(2_000);
    await list(as('b'));
    writeFileSync(tokens, TOKENS.replace(hashOf('b'), hashOf('new')));
    clock.advance(2_000);
    await expect(list(as('b'))).rejects.toMatchObject({ message: 'the coordinator does not know who calls' });
    await list(as('new'));
  });

  it('does not take a caller’s word for who it is', async () => {
    const { as } = await start({ maxJobsPerUser: 1 });
    const pretending = as('a');
    const metadata = pretending.metadata.bind(pretending);
    const liar = {
      ...pretending,
      grpc: pretending.grpc,
      metadata: () => {
        const sent = metadata();
        sent.set('shardex-caller', 'token carol');
        sent.set('shardex-caller-rights', 'manage');
        return sent;
      },
    };
    await submit(liar);
    await expect(submit(as('a'))).rejects.toMatchObject({
      message: 'token alice: the limit of 1 jobs under way is reached',
    });
    const { job } = await submit(as('c'));
    await expect(cancel(liar, job?.id ?? '')).rejects.toMatchObject({
      message: `job ${job?.id} belongs to token carol`,
    });
  });
});

describe('a client whose certificates change', () => {
  it('connects anew for the next call, and lets those under way end', async () => {
    const { coordinator } = await start();
    let [connections, isChanged] = [0, false];
    const client = connectRpc(coordinator.address, {
      token: () => 'a',
      credentials: () => {
        connections += 1;
        return PLAINTEXT.credentials();
      },
      hasChanged: () => isChanged && connections === 1,
    });
    cleanups.push(() => client.close());
    const { job } = await submit(client);
    const jobId = job?.id ?? '';
    const news = streamCall(client, JobService.method.watchJob, { jobId });
    await news.next();
    const now = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 1_000);
    isChanged = true;
    await unaryCall(client, JobService.method.cancelJob, { jobId, reason: 'enough' });
    now.mockRestore();
    expect(connections).toBe(2);
    let last;
    for await (const message of news) last = message.job?.state;
    expect(last).toBe(JobState.CANCELLED);
  });
});

describe('limits', () => {
  it('hold jobs back by user', async () => {
    const { as } = await start({ maxJobsPerUser: 2 });
    await submit(as('a'));
    const more = await Promise.allSettled([submit(as('a')), submit(as('a')), submit(as('a'))]);
    expect(more.map(({ status: outcome }) => outcome).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    await expect(submit(as('a'))).rejects.toMatchObject({ tag: 'ResourceExhausted' });
    await submit(as('c'));
  });

  it('refuse a message that is too large, whatever the client thinks of it', async () => {
    const { coordinator, as } = await start();
    const client = new Client(coordinator.address, credentials.createInsecure(), {
      'grpc.max_send_message_length': -1,
    });
    cleanups.push(() => client.close());
    const code = await new Promise((resolve) =>
      client.makeUnaryRequest<Buffer, Buffer>(
        `/${JobService.typeName}/SubmitJob`,
        (bytes) => bytes,
        (bytes) => bytes,
        Buffer.alloc(MAX_MESSAGE_BYTES + 1),
        as('a').metadata(),
        (error: ServiceError | null) => resolve(error?.code),
      ),
    );
    expect(code).toBe(status.RESOURCE_EXHAUSTED);
  });

  it('hold requests back by peer, wrong tokens included, until time has passed', async () => {
    const { as, clock } = await start({ maxRequestsPerSecond: 2 });
    for (const token of [null, 'x', 'y', 'z']) {
      await expect(list(as(token))).rejects.toMatchObject({ message: 'the coordinator does not know who calls' });
    }
    await expect(list(as('a'))).rejects.toMatchObject({
      tag: 'ResourceExhausted',
      message: 'too many requests from this address',
    });
    // Workers are one peer a connection.
    await RpcWorker.register(as('n'));
    clock.advance(500);
    await list(as('a'));
  });
});

describe('what is served over HTTP', () => {
  it('asks for a token with the scope read, as a program or a browser shows it; metrics and probes are free', async () => {
    const { coordinator } = await start({ metricsPort: 0 });
    expect(coordinator.metricsAddress).toMatch(/^127\.0\.0\.1:/);
    const get = (path: string, authorization?: string): Promise<Response> =>
      fetch(
        `http://${coordinator.metricsAddress}${path}`,
        authorization === undefined ? {} : { headers: { authorization } },
      );
    const basic = (password: string): string => `Basic ${Buffer.from(`me:${password}`).toString('base64')}`;
    for (const path of ['/api/state', '/']) {
      const refused = await get(path);
      expect(refused.status).toBe(401);
      expect(refused.headers.get('www-authenticate')).toContain('Basic');
    }
    expect((await get('/api/state', 'Bearer wrong')).status).toBe(401);
    expect((await get('/api/state', basic(''))).status).toBe(401);
    expect((await get('/api/state', 'Bearer n')).status).toBe(403);
    expect((await get('/api/state', 'Bearer b')).status).toBe(200);
    expect((await get('/api/state', basic('b'))).status).toBe(200);
    for (const path of ['/metrics', '/healthz', '/readyz']) expect((await get(path)).status).toBe(200);
  });

  it('is no page beyond this machine where nobody says who it is', async () => {
    const security = { tlsCert: null, tlsKey: null, tlsCa: null, tokens: null };
    const { coordinator } = await start({ metricsPort: 0, metricsHost: '0.0.0.0', security });
    const port = coordinator.metricsAddress?.split(':').at(-1);
    expect((await fetch(`http://127.0.0.1:${port}/api/state`)).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
  });
});

describe('a coordinator beyond this machine', () => {
  it.each([
    ['nothing', 'without authentication or encryption'],
    ['tokens', 'without encryption'],
  ])('is refused with %s', async (protection, reason) => {
    const security =
      protection === 'tokens' ? {} : { security: { tlsCert: null, tlsKey: null, tlsCa: null, tokens: null } };
    await expect(start({ host: '0.0.0.0', ...security })).rejects.toThrow(reason);
  });
});
