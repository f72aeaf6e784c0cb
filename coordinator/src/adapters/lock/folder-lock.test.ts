import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ShardexError } from '@shardex/shared/errors';
import { startS3Server } from '../../../../test/support/s3-server.js';
import { ManualClock } from '../../testing/manual-clock.js';
import { confirmLock, FolderLock, LOCK_STALE_MS, type LockOptions } from './index.js';
import { thisProcess } from './lock-holder.js';

/** A place that locks are on, and what a test does to it behind their backs. */
interface Place {
  readonly uri: string;
  /** Numbers of the marks that are there. */
  marks(): Promise<number[]>;
  /** Puts a mark down as if it were that old. */
  put(generation: number, text: string, ageMs: number): Promise<void>;
  remove(generation: number): Promise<void>;
  writtenMs(generation: number): Promise<number>;
  close(): Promise<void>;
}

async function makeFolder(): Promise<Place> {
  const uri = await mkdtemp(join(tmpdir(), 'shardex-test-'));
  const fileOf = (generation: number): string => join(uri, `.shardex-lock-${String(generation).padStart(6, '0')}`);
  return {
    uri,
    marks: async () => (await readdir(uri)).map((name) => Number(name.slice('.shardex-lock-'.length))),
    async put(generation, text, ageMs) {
      await writeFile(fileOf(generation), `\n${text}`);
      const at = new Date(Date.now() - ageMs);
      await utimes(fileOf(generation), at, at);
    },
    remove: (generation) => rm(fileOf(generation)),
    writtenMs: async (generation) => (await stat(fileOf(generation))).mtimeMs,
    close: () => rm(uri, { recursive: true, force: true }),
  };
}

// One for all tests: a process keeps its connection.
const server = await startS3Server(['bkt']);
Object.assign(process.env, server.environment);
afterAll(() => server.close());

function makePrefix(): Place {
  const objects = server.objects.bucket('bkt');
  const keyOf = (generation: number): string => `out/.shardex-lock/${String(generation).padStart(6, '0')}`;
  return {
    uri: 's3://bkt/out',
    marks: () => Promise.resolve([...objects.keys()].map((key) => Number(key.split('/').at(-1)))),
    put(generation, text, ageMs) {
      const stored = server.objects.put('bkt', keyOf(generation), Buffer.from(text));
      objects.set(keyOf(generation), { ...stored, writtenMs: Date.now() - ageMs });
      return Promise.resolve();
    },
    remove: (generation) => Promise.resolve(void objects.delete(keyOf(generation))),
    writtenMs: (generation) => Promise.resolve(server.objects.get('bkt', keyOf(generation)).writtenMs),
    close: () => Promise.resolve(objects.clear()),
  };
}

const options: LockOptions = { clock: new ManualClock(), refusal: 'another run is writing to', hint: 'wait for it' };

const errorOf = (call: Promise<unknown>): Promise<ShardexError> =>
  call.then(
    () => expect.fail('it should have been refused'),
    (error: unknown) => error as ShardexError,
  );

describe.each<[string, () => Place | Promise<Place>]>([
  ['a folder', makeFolder],
  ['a prefix on S3', makePrefix],
])('a lock on %s', (_, make) => {
  let place: Place;
  const held: FolderLock[] = [];
  beforeEach(async () => {
    place = await make();
  });
  afterEach(async () => {
    for (const lock of held.splice(0)) await lock.release();
    await place.close();
  });

  async function take(over: Partial<LockOptions> = {}): Promise<FolderLock> {
    const lock = await FolderLock.take(place.uri, { ...options, ...over });
    held.push(lock);
    return lock;
  }

  /** A mark as another process would have left it. */
  const leave = (generation: number, holder: object, ageMs = 0): Promise<void> =>
    place.put(generation, JSON.stringify({ ...thisProcess('2026-01-31T10:00:00.000Z'), ...holder }), ageMs);

  it('is held by one, who is named to the second, and free again afterwards without a trace', async () => {
    const first = await take();
    const error = await errorOf(take());
    expect(error.tag).toBe('InvalidInput');
    expect(error.message).toBe(
      `another run is writing to ${place.uri}: process ${process.pid} on ${hostname()}, since 1970-01-01 00:16:40 UTC`,
    );
    await first.confirm();
    await first.release();
    held.length = 0;
    expect(await place.marks()).toEqual([]);
    await take();
  });

  it('goes to one of many that come at once', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => take()));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('goes to one of many that find a dead holder', async () => {
    await leave(4, { processStart: 'long ago' });
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => take()));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await place.marks()).toEqual([5]);
  });

  it('is taken over at once from a process of this machine that was killed', async () => {
    const child = spawn(process.execPath, ['-e', 'process.stdout.write("up"); setInterval(() => {}, 1e6)']);
    await once(child.stdout, 'data');
    const stat = await readFile(`/proc/${child.pid}/stat`, 'latin1').catch(() => '');
    const processStart = stat === '' ? '' : stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    await leave(1, { pid: child.pid, processStart });
    expect((await errorOf(take())).message).toContain(`process ${child.pid} on`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect((await take()).token.generation).toBe(2);
  });

  it.runIf(process.platform === 'linux')('is not taken for held when another process got the number', async () => {
    await leave(1, { processStart: 'of a process before' });
    expect((await take()).token.generation).toBe(2);
  });

  it('of another machine is taken over when its heartbeat is old, and refused before that', async () => {
    await leave(1, { host: 'elsewhere', pid: 1 }, LOCK_STALE_MS - 10_000);
    const error = await errorOf(take());
    expect(error.message).toContain('process 1 on elsewhere, since 2026-01-31 10:00:00 UTC, last heard of 20 s ago');
    expect(error.hint).toContain('after 30 s of silence');
    await leave(1, { host: 'elsewhere', pid: 1 }, LOCK_STALE_MS + 2_000);
    expect((await take()).token.generation).toBe(2);
  });

  it('that was cut off while it was written counts as held until it is old', async () => {
    await place.put(1, '{"host":"elsew', 0);
    expect((await errorOf(take())).message).toContain('a process that has just begun');
    await place.put(1, '{"host":"elsew', LOCK_STALE_MS + 2_000);
    expect((await take()).token.generation).toBe(2);
  });

  it('shows by its heartbeat that the holder lives', async () => {
    const clock = new ManualClock();
    const lock = await take({ clock });
    const { generation } = lock.token;
    await leave(generation, {}, 60_000);
    const before = await place.writtenMs(generation);
    clock.advance(5_000);
    // Confirmed only once the beat is through.
    await expect.poll(() => place.writtenMs(generation)).toBeGreaterThan(before);
  });

  it('is lost when somebody with a higher number has taken over, and the holder is told', async () => {
    const clock = new ManualClock();
    let tell: (error: ShardexError) => void = () => undefined;
    const told = new Promise<ShardexError>((resolve) => (tell = resolve));
    const lock = await take({ clock, onLost: tell });
    await leave(2, { host: 'elsewhere', pid: 7 });
    const error = await errorOf(confirmLock(lock.token));
    expect(error).toMatchObject({ tag: 'StaleAttempt' });
    expect(error.message).toContain('process 7 on elsewhere, since 2026-01-31 10:00:00 UTC, has taken over');
    clock.advance(5_000);
    expect((await told).tag).toBe('StaleAttempt');
    await lock.release();
    held.length = 0;
    expect(await place.marks()).toEqual([2]);
  });

  it('leaves no mark of a holder before it that came back', async () => {
    await leave(1, { processStart: 'long ago' });
    const lock = await take();
    await leave(1, { processStart: 'long ago' });
    await lock.confirm();
    await lock.release();
    held.length = 0;
    expect(await place.marks()).toEqual([]);
  });

  it('is lost when its file is gone', async () => {
    const lock = await take();
    await place.remove(1);
    expect((await errorOf(lock.confirm())).message).toContain('its lock is gone');
  });
});
