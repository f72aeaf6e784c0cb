import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ShardexError } from '@shardex/shared/errors';
import { ManualClock } from '../../testing/manual-clock.js';
import { confirmLock, FolderLock, LOCK_STALE_MS, type LockOptions } from './index.js';
import { thisProcess } from './lock-holder.js';

let folder: string;
const held: FolderLock[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
});
afterEach(async () => {
  for (const lock of held.splice(0)) await lock.release();
  await rm(folder, { recursive: true, force: true });
});

const options: LockOptions = { clock: new ManualClock(), refusal: 'another run is writing to', hint: 'wait for it' };

async function take(over: Partial<LockOptions> = {}): Promise<FolderLock> {
  const lock = await FolderLock.take(folder, { ...options, ...over });
  held.push(lock);
  return lock;
}

const fileOf = (generation: number): string => join(folder, `.shardex-lock-00000${generation}`);

/** A lock file as another process would have left it. */
async function leave(generation: number, holder: object, ageMs = 0): Promise<void> {
  await writeFile(fileOf(generation), `\n${JSON.stringify({ ...thisProcess('2026-01-31T10:00:00.000Z'), ...holder })}`);
  const at = new Date(Date.now() - ageMs);
  await utimes(fileOf(generation), at, at);
}

const errorOf = (call: Promise<unknown>): Promise<ShardexError> =>
  call.then(
    () => expect.fail('it should have been refused'),
    (error: unknown) => error as ShardexError,
  );

describe('a lock on a folder', () => {
  it('is held by one, who is named to the second, and free again afterwards without a trace', async () => {
    const first = await take();
    const error = await errorOf(take());
    expect(error.tag).toBe('InvalidInput');
    expect(error.message).toBe(
      `another run is writing to ${folder}: process ${process.pid} on ${hostname()}, since 1970-01-01 00:16:40 UTC`,
    );
    await first.confirm();
    await first.release();
    held.length = 0;
    expect(await readdir(folder)).toEqual([]);
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
    expect(await readdir(folder)).toEqual(['.shardex-lock-000005']);
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
    await leave(1, { host: 'elsewhere', pid: 1 }, LOCK_STALE_MS + 1_000);
    expect((await take()).token.generation).toBe(2);
  });

  it('that was cut off while it was written counts as held until it is old', async () => {
    await writeFile(fileOf(1), '\n{"host":"elsew');
    expect((await errorOf(take())).message).toContain('a process that has just begun');
    const at = new Date(Date.now() - LOCK_STALE_MS - 1_000);
    await utimes(fileOf(1), at, at);
    expect((await take()).token.generation).toBe(2);
  });

  it('shows by its heartbeat that the holder lives', async () => {
    const clock = new ManualClock();
    const lock = await take({ clock });
    const old = new Date(Date.now() - 60_000);
    await utimes(fileOf(1), old, old);
    const file = await open(fileOf(1), 'r');
    clock.advance(5_000);
    // It waits for the beat that is under way.
    await lock.release();
    held.length = 0;
    expect((await file.stat()).mtimeMs).toBeGreaterThan(old.getTime());
    await file.close();
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
    expect(await readdir(folder)).toEqual(['.shardex-lock-000002']);
  });

  it('is lost when its file is gone', async () => {
    const lock = await take();
    await rm(fileOf(1));
    expect((await errorOf(lock.confirm())).message).toContain('its lock is gone');
  });
});
