import { randomUUID } from 'node:crypto';
import { open, readFile, readdir, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidInputError, StaleAttemptError, toShardexError, type ShardexError } from '@shardex/shared/errors';
import type { Clock } from '../clock.js';
import { isAlive, isOnThisMachine, nameHolder, readHolder, thisProcess, type LockHolder } from './lock-holder.js';

/** A lock of another machine whose holder was not heard of for so long is taken over. */
export const LOCK_STALE_MS = 30_000;
/** The holder shows that it lives six times in that time. */
const HEARTBEAT_MS = 5_000;

const PREFIX = '.shardex-lock-';
const fileOf = (generation: number): string => `${PREFIX}${String(generation).padStart(6, '0')}`;

/** A lock by value: enough for another thread to look whether it still holds. */
export interface LockToken {
  readonly folder: string;
  readonly generation: number;
}

export interface LockOptions {
  readonly clock: Clock;
  /** What is done under the lock, as "another run is writing to"; begins the refusal. */
  readonly refusal: string;
  /** What whoever is refused can do. */
  readonly hint: string;
  /** Told once when somebody else has taken over. */
  readonly onLost?: (error: ShardexError) => void;
  readonly staleMs?: number;
}

/**
 * One folder, one process. The lock is a file `.shardex-lock-N`: it is taken by creating the number after the highest one
 * there is, which only one process can do, and whoever has the highest number holds it. So a holder that was taken for
 * dead learns that it was overtaken by looking (`confirmLock`): N is its fencing token.
 *
 * A holder on this machine is dead when its process is; one on another when its heartbeat is older than `LOCK_STALE_MS`,
 * both times by the clock of the file system.
 */
export class FolderLock {
  readonly token: LockToken;
  readonly #file: FileHandle;
  readonly #stopHeartbeat: () => void;
  #beat: Promise<void> = Promise.resolve();
  #lost = false;

  private constructor(token: LockToken, file: FileHandle, options: LockOptions) {
    this.token = token;
    this.#file = file;
    this.#stopHeartbeat = options.clock.every(HEARTBEAT_MS, () => {
      this.#beat = this.#beat.then(() => this.#showLife(options));
    });
  }

  /**
   * @throws InvalidInputError, naming the holder, when somebody else holds the folder
   */
  static async take(folder: string, options: LockOptions): Promise<FolderLock> {
    try {
      for (;;) {
        const highest = (await generations(folder)).at(-1) ?? 0;
        if (highest > 0 && !(await isFree(folder, highest, options))) continue;
        const file = await create(folder, highest + 1, options);
        if (file === null) continue;
        // Whoever held the number before may have let go of it in between, and another may have begun to count anew.
        if (highest > 0 && !(await generations(folder)).includes(highest)) {
          await file.close();
          await rm(join(folder, fileOf(highest + 1)), { force: true });
          continue;
        }
        for (const old of await generations(folder)) {
          if (old <= highest) await rm(join(folder, fileOf(old)), { force: true });
        }
        return new FolderLock({ folder, generation: highest + 1 }, file, options);
      }
    } catch (error) {
      throw toShardexError(error, `writing to the folder ${folder}`);
    }
  }

  /** @throws StaleAttemptError when somebody else has taken over */
  confirm(): Promise<void> {
    return confirmLock(this.token);
  }

  /** Lets go of the folder; harmless when somebody else has taken over. */
  async release(): Promise<void> {
    this.#stopHeartbeat();
    await this.#beat;
    await this.#file.close();
    await rm(join(this.token.folder, fileOf(this.token.generation)), { force: true });
  }

  async #showLife({ onLost }: LockOptions): Promise<void> {
    if (this.#lost) return;
    try {
      await this.confirm();
      // A byte that changes nothing sets the time of the file by the clock of whoever keeps it.
      await this.#file.write('\n', 0);
    } catch (error) {
      // Storage that does not answer is no sign that somebody took over; the next beat will tell.
      if (!(error instanceof StaleAttemptError)) return;
      this.#lost = true;
      onLost?.(error);
    }
  }
}

/** Looks whether a lock still holds. @throws StaleAttemptError, naming the successor, when it does not */
export async function confirmLock({ folder, generation }: LockToken): Promise<void> {
  const present = await generations(folder).catch((error: unknown) => {
    throw toShardexError(error, `looking for the lock of ${folder}`);
  });
  const highest = present.at(-1);
  if (highest === generation) return;
  const holder = highest === undefined ? null : (await read(folder, highest))?.holder;
  const successor = holder === null || holder === undefined ? 'another process' : `${nameHolder(holder)},`;
  const who = highest === undefined ? 'its lock is gone' : `${successor} has taken over`;
  throw new StaleAttemptError(`this process does not hold ${folder} any more: ${who}`, {
    hint: 'it was not heard of for too long, and another process went on in its place',
  });
}

/** Numbers of the lock files in a folder, ascending; none when there is no such folder. */
async function generations(folder: string): Promise<number[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return names
    .map((name) => (name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length)) : NaN))
    .filter((generation) => Number.isInteger(generation))
    .sort((a, b) => a - b);
}

/** @returns null when somebody else was faster */
async function create(folder: string, generation: number, { clock }: LockOptions): Promise<FileHandle | null> {
  const path = join(folder, fileOf(generation));
  let file: FileHandle;
  try {
    file = await open(path, 'wx');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return null;
    throw error;
  }
  try {
    // The first byte is what heartbeats write again.
    await file.write(`\n${JSON.stringify(thisProcess(new Date(clock.nowMs()).toISOString()))}`, 0);
    await file.sync();
    return file;
  } catch (error) {
    await file.close();
    await rm(path, { force: true });
    throw error;
  }
}

/** Whether the holder of this number is dead. @throws InvalidInputError when it lives; false when it has just let go */
async function isFree(folder: string, generation: number, options: LockOptions): Promise<boolean> {
  const { refusal, hint, staleMs = LOCK_STALE_MS } = options;
  const found = await read(folder, generation);
  if (found === null) return false;
  const { holder } = found;
  if (holder !== null && isOnThisMachine(holder)) {
    if (!isAlive(holder)) return true;
    throw new InvalidInputError(`${refusal} ${folder}: ${nameHolder(holder)}`, { hint });
  }
  const silentMs = (await fileSystemNowMs(folder)) - found.heartbeatMs;
  if (silentMs > staleMs) return true;
  const who = holder === null ? 'a process that has just begun' : nameHolder(holder);
  const heard = `, last heard of ${Math.max(0, Math.round(silentMs / 1000))} s ago`;
  throw new InvalidInputError(`${refusal} ${folder}: ${who}${heard}`, {
    hint: `${hint}; a lock of another machine is free after ${staleMs / 1000} s of silence`,
  });
}

async function read(
  folder: string,
  generation: number,
): Promise<{ holder: LockHolder | null; heartbeatMs: number } | null> {
  const path = join(folder, fileOf(generation));
  try {
    const { mtimeMs } = await stat(path);
    return { holder: readHolder(await readFile(path, 'utf8')), heartbeatMs: mtimeMs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** The time as whoever keeps the folder tells it: the clocks of two machines may differ. */
async function fileSystemNowMs(folder: string): Promise<number> {
  const probe = join(folder, `.shardex-probe-${randomUUID()}`);
  const file = await open(probe, 'wx');
  try {
    await file.write('\n', 0);
    return (await file.stat()).mtimeMs;
  } finally {
    await file.close();
    await rm(probe, { force: true });
  }
}
