import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  startS3Server,
  TEST_CREDENTIALS,
  type FaultKind,
  type S3TestServer,
} from '../../../../test/support/s3-server.js';
import { coalesceRanges } from '../coalesce-ranges.js';
import { backoffMs } from './retry.js';
import { S3ByteSource } from './s3-byte-source.js';
import { S3Connection } from './s3-connection.js';
import { readS3Settings, type S3Settings } from './s3-settings.js';
import { S3Store } from './s3-store.js';
import { parseS3Uri } from './s3-uri.js';

let server: S3TestServer;
let waits: number[];
let opened: S3Connection[];
beforeEach(async () => {
  server = await startS3Server(['bkt']);
  Object.assign(process.env, server.environment);
  waits = [];
  opened = [];
});
afterEach(async () => {
  for (const connection of opened) await connection.close();
  await server.close();
});

const SETTINGS: S3Settings = {
  region: TEST_CREDENTIALS.region,
  forcePathStyle: true,
  anonymous: false,
  attempts: 4,
  timeoutMs: 10_000,
};

/** A connection that notes how long it would have waited, and does not. */
function connect(settings: Partial<S3Settings> = {}): S3Connection {
  const all = { ...SETTINGS, ...settings };
  const connection = new S3Connection(all, {
    attempts: all.attempts,
    random: () => 1,
    wait: (ms) => Promise.resolve(waits.push(ms)),
  });
  opened.push(connection);
  return connection;
}

const data = Buffer.from(Uint8Array.from({ length: 1_000_000 }, (_, i) => (i * 7) >> 2));
const openObject = (connection = connect()): Promise<S3ByteSource> =>
  S3ByteSource.open(connection, { bucket: 'bkt', key: 'k' }, true);
const readBack = async (source: S3ByteSource): Promise<Buffer> => {
  const target = Buffer.alloc(data.length);
  await source.readInto(0, target);
  return target;
};

describe('a read of S3', () => {
  const passing: FaultKind[] = ['internal-error', 'slow-down', 'reset', 'truncate'];
  it.each(passing)('outlives %s', async (kind) => {
    server.objects.put('bkt', 'k', data);
    const source = await openObject();
    const struck = server.inject({ kind, times: 3 });
    expect((await readBack(source)).equals(data)).toBe(true);
    expect(struck()).toBe(3);
    const base = kind === 'slow-down' ? 500 : 100;
    expect(waits).toEqual([base, 2 * base, 4 * base]);
  });

  it('outlives silence in the middle of an answer', async () => {
    server.objects.put('bkt', 'k', data);
    const source = await openObject(connect({ timeoutMs: 300 }));
    const struck = server.inject({ kind: 'stall', times: 1 });
    expect((await readBack(source)).equals(data)).toBe(true);
    expect(struck()).toBe(1);
  });

  it('that keeps failing says what with, and that another time may do', async () => {
    server.objects.put('bkt', 'k', data);
    const source = await openObject();
    server.inject({ kind: 'slow-down', times: 100 });
    await expect(readBack(source)).rejects.toMatchObject({
      tag: 'StorageUnavailable',
      retryable: true,
      message: 'reading s3://bkt/k: failed 4 times, at last with 503 SlowDown',
    });
  });

  it('names an object that has changed since it was opened', async () => {
    server.objects.put('bkt', 'k', data);
    const source = await openObject();
    server.objects.put('bkt', 'k', Buffer.from(data).reverse());
    await expect(readBack(source)).rejects.toMatchObject({
      tag: 'InvalidInput',
      message: 's3://bkt/k changed while the job was running',
    });
  });

  it('asks once for what lies close together, and in parallel for what is large', async () => {
    const large = Buffer.alloc(20 << 20, 3);
    server.objects.put('bkt', 'k', large);
    const source = await openObject();
    const before = server.seen.length;
    await Promise.all([1_000_000, 1_000_500, 1_100_000].map((at) => source.readInto(at, new Uint8Array(100))));
    expect(server.seen.slice(before).map(({ headers }) => headers.range)).toEqual(['bytes=1000000-1100099']);
    await source.readInto(0, new Uint8Array(large.length));
    expect(server.seen.length - before).toBe(1 + 3);
    await source.readInto(100, new Uint8Array(1000));
    expect(server.seen.length - before, 'the first bytes are there already').toBe(1 + 3);
  });
});

describe('what S3 refuses', () => {
  it('names a missing object, a missing bucket, missing rights', async () => {
    await expect(openObject()).rejects.toMatchObject({
      tag: 'InvalidInput',
      message: 'reading s3://bkt/k: no such object',
    });
    await expect(S3ByteSource.open(connect(), { bucket: 'none', key: 'k' }, true)).rejects.toMatchObject({
      tag: 'InvalidInput',
      message: 'reading s3://none/k: no such bucket',
    });
    process.env['AWS_SECRET_ACCESS_KEY'] = 'another secret';
    const denied = openObject(connect());
    await expect(denied).rejects.toMatchObject({
      tag: 'InvalidInput',
      message: 'reading s3://bkt/k: access denied (403 SignatureDoesNotMatch)',
    });
    const text = inspect(await denied.catch((error: unknown) => error), { depth: 20, showHidden: true });
    expect(text).not.toContain('another secret');
    expect(text).not.toContain(TEST_CREDENTIALS.accessKeyId);
    expect(waits, 'none of them is tried again').toEqual([]);
  });

  it('is not asked with a signature by an anonymous reader', async () => {
    const open = await startS3Server(['bkt'], { isPublic: true });
    try {
      open.objects.put('bkt', 'k', data);
      process.env['AWS_ENDPOINT_URL'] = open.endpoint;
      expect((await readBack(await openObject(connect({ anonymous: true })))).equals(data)).toBe(true);
      expect(open.seen.every(({ headers }) => headers.authorization === undefined)).toBe(true);
    } finally {
      await open.close();
    }
    process.env['AWS_ENDPOINT_URL'] = server.endpoint;
    await expect(openObject(connect({ anonymous: true }))).rejects.toThrowError(/access denied/);
  });
});

describe('credentials', () => {
  const KEYS = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'] as const;
  const own = [...KEYS, 'AWS_PROFILE', 'AWS_SHARED_CREDENTIALS_FILE', 'AWS_CONFIG_FILE', 'AWS_ROLE_ARN'];
  const all = [...own, 'AWS_WEB_IDENTITY_TOKEN_FILE', 'AWS_ENDPOINT_URL_STS', 'AWS_REGION'];
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-credentials-'));
    for (const name of all) delete process.env[name];
    // Whatever this machine has of its own is out of reach.
    process.env['AWS_SHARED_CREDENTIALS_FILE'] = join(folder, 'credentials');
    process.env['AWS_CONFIG_FILE'] = join(folder, 'config');
    server.objects.put('bkt', 'k', data);
  });
  afterEach(async () => {
    for (const name of all) delete process.env[name];
    await rm(folder, { recursive: true, force: true });
  });
  const { accessKeyId, secretAccessKey, region } = TEST_CREDENTIALS;

  it('that are missing are missed in words', async () => {
    await expect(openObject()).rejects.toMatchObject({
      tag: 'InvalidInput',
      message: 'reading s3://bkt/k: there are no AWS credentials',
    });
  });

  it('come from a profile, with its region', async () => {
    await writeFile(
      join(folder, 'credentials'),
      `[lab]\naws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\n`,
    );
    await writeFile(join(folder, 'config'), `[profile lab]\nregion=${region}\n`);
    process.env['AWS_PROFILE'] = 'lab';
    expect((await openObject(connect({ region: undefined }))).sizeBytes).toBe(data.length);
  });

  it('come for a web identity, as pods of Kubernetes have one', async () => {
    const asked: string[] = [];
    const sts = createServer((request, response) => {
      request.on('data', (chunk: Buffer) => asked.push(chunk.toString()));
      request.on('end', () => {
        response.setHeader('content-type', 'text/xml');
        response.end(
          `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>${accessKeyId}</AccessKeyId><SecretAccessKey>${secretAccessKey}</SecretAccessKey><SessionToken>a-token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
        );
      });
    });
    await new Promise<void>((resolve) => sts.listen(0, '127.0.0.1', resolve));
    try {
      await writeFile(join(folder, 'token'), 'a-web-identity');
      process.env['AWS_WEB_IDENTITY_TOKEN_FILE'] = join(folder, 'token');
      process.env['AWS_ROLE_ARN'] = 'arn:aws:iam::123456789012:role/shardex';
      process.env['AWS_ENDPOINT_URL_STS'] = `http://127.0.0.1:${(sts.address() as AddressInfo).port}`;
      process.env['AWS_REGION'] = region;
      expect((await openObject()).sizeBytes).toBe(data.length);
      expect(asked.join('')).toContain('a-web-identity');
      expect(server.seen.map(({ headers }) => headers['x-amz-security-token'])).toEqual(['a-token']);
    } finally {
      sts.closeAllConnections();
      await new Promise((resolve) => sts.close(resolve));
    }
  });
});

describe('a write to S3', () => {
  const large = Buffer.alloc(40 << 20, 5);
  const isPart = ({ query }: { readonly query: URLSearchParams }): boolean => query.has('partNumber');

  it.each(['internal-error', 'slow-down', 'reset', 'lost-answer'] as const)('in parts outlives %s', async (kind) => {
    const store = new S3Store('s3://bkt', connect());
    const struck = server.inject({ kind, times: 3, matches: ({ method }) => method !== 'GET' });
    await store.commit('k', [large]);
    expect(struck()).toBe(3);
    expect(server.objects.get('bkt', 'k').bytes.equals(large)).toBe(true);
    // An upload whose beginning was never answered can be known only from the list.
    await store.removeAll('k');
    expect(server.objects.uploads.size).toBe(0);
    expect(server.objects.bucket('bkt').size).toBe(0);
  });

  it('whose last answer is lost is known to be complete', async () => {
    const store = new S3Store('s3://bkt', connect());
    const struck = server.inject({
      kind: 'lost-answer',
      times: 1,
      matches: ({ method, query }) => method === 'POST' && query.has('uploadId'),
    });
    await store.commit('k', [large]);
    expect(struck()).toBe(1);
    expect(server.objects.get('bkt', 'k').bytes.equals(large)).toBe(true);
  });

  it('that fails leaves neither an object nor parts', async () => {
    const store = new S3Store('s3://bkt', connect());
    server.inject({ kind: 'internal-error', times: 1000, matches: isPart });
    await expect(store.commit('k', [large])).rejects.toMatchObject({ tag: 'StorageUnavailable' });
    expect(await store.exists('k')).toBe(false);
    expect(server.objects.uploads.size).toBe(0);
  });

  it('that must be the first knows its own after a lost answer', async () => {
    const store = new S3Store('s3://bkt', connect());
    const struck = server.inject({ kind: 'lost-answer', times: 1, matches: ({ method }) => method === 'PUT' });
    expect(await store.commitNew('run.json', [data])).toBe(true);
    expect(struck()).toBe(1);
    server.inject({ kind: 'lost-answer', times: 1, matches: ({ method }) => method === 'PUT' });
    expect(await store.commitNew('run.json', [data])).toBe(false);
  });

  it('gives up what a killed process left, and nothing else', async () => {
    const store = new S3Store('s3://bkt/run', connect());
    for (const key of ['run/nb_glm.h5ad', 'run/other', 'nb_glm.h5ad']) server.objects.begin('bkt', key, {});
    await store.abortUploads((name) => name === 'nb_glm.h5ad');
    expect([...server.objects.uploads.values()].map(({ key }) => key)).toEqual(['run/other', 'nb_glm.h5ad']);
  });

  it('is known to be impossible before there is anything to write', async () => {
    await new S3Store('s3://bkt/run', connect()).requireWritable();
    expect(server.objects.uploads.size).toBe(0);
    expect(server.objects.bucket('bkt').size).toBe(0);
    await expect(new S3Store('s3://none/run', connect()).requireWritable()).rejects.toThrowError(/no such bucket/);
  });
});

describe('the pieces', () => {
  it('wait longer after every failure, up to a limit, and longer when asked to slow down', () => {
    const most = (failed: number, isThrottled: boolean): number => backoffMs(failed, isThrottled, () => 1);
    expect([1, 2, 3, 20].map((failed) => most(failed, false))).toEqual([100, 200, 400, 20_000]);
    expect([1, 2].map((failed) => most(failed, true))).toEqual([500, 1000]);
    expect(backoffMs(3, false, () => 0.25)).toBe(100);
  });

  it('merge reads with small gaps, never beyond the largest request', () => {
    const read = (offset: number, length: number) => ({ offset, length });
    const merged = coalesceRanges([read(50, 10), read(0, 10), read(15, 10), read(5, 2)], 10, 40);
    expect(merged.map(({ offset, length, wanted }) => [offset, length, wanted.length])).toEqual([
      [0, 25, 3],
      [50, 10, 1],
    ]);
    expect(coalesceRanges([read(0, 30), read(30, 30)], 10, 40)).toHaveLength(2);
    expect(coalesceRanges([read(0, 100)], 10, 40)).toMatchObject([{ offset: 0, length: 100 }]);
  });
});

describe('the settings', () => {
  it('follow the environment', () => {
    expect(readS3Settings({})).toEqual({
      region: undefined,
      forcePathStyle: false,
      anonymous: false,
      attempts: 8,
      timeoutMs: 30_000,
    });
    const env = { AWS_ENDPOINT_URL_S3: 'http://x', AWS_REGION: '', AWS_DEFAULT_REGION: 'r', AWS_MAX_ATTEMPTS: '3' };
    expect(readS3Settings(env)).toMatchObject({ region: 'r', forcePathStyle: true, attempts: 3 });
    expect(readS3Settings({ ...env, SHARDEX_S3_FORCE_PATH_STYLE: '0' }).forcePathStyle).toBe(false);
    expect(() => readS3Settings({ SHARDEX_S3_ANONYMOUS: 'maybe' })).toThrowError('SHARDEX_S3_ANONYMOUS is "maybe"');
    expect(() => readS3Settings({ AWS_MAX_ATTEMPTS: '0' })).toThrowError('AWS_MAX_ATTEMPTS is "0"');
  });

  it('take addresses literally', () => {
    expect(parseS3Uri('s3://my.bucket/a b/50%#?.h5ad')).toEqual({ bucket: 'my.bucket', key: 'a b/50%#?.h5ad' });
    expect(parseS3Uri('s3://bucket/')).toEqual({ bucket: 'bucket', key: '' });
    for (const uri of ['s3://', 's3:///key', 's3://bucket/a//b'])
      expect(() => parseS3Uri(uri)).toThrowError(/names no bucket|empty part/);
  });
});
