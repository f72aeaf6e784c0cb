import { InvalidInputError, StaleAttemptError, toShardexError, type ShardexError } from '@shardex/shared/errors';
import type { Clock } from '../clock.js';
import { isAlive, isOnThisMachine, nameHolder, readHolder, thisProcess, type LockHolder } from './lock-holder.js';
import { openLockPlace, type LockMark, type LockPlace } from './lock-place.js';

/** A lock of another machine whose holder was not heard of for so long is taken over. */
export const LOCK_STALE_MS = 30_000;
/** The holder shows that it lives six times in that time. */
const HEARTBEAT_MS = 5_000;

/** A lock by value: enough for another thread to look whether it still holds. */
export interface LockToken {
  /** A folder, or a prefix on S3. */
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
 * One folder, or prefix on S3, one process. The lock is a mark with a number N: it is taken by creating the number after the
 * highest one there is, which only one process can do, and whoever has the highest number holds it. So a holder that was taken
 * for dead learns that it was overtaken by looking (`confirmLock`): N is its fencing token.
 *
 * A holder on this machine is dead when its process is; one on another when its heartbeat is older than `LOCK_STALE_MS`,
 * both times by the clock of whoever keeps the place.
 */
export class FolderLock {
  readonly token: LockToken;
  readonly #place: LockPlace;
  readonly #mark: LockMark;
  readonly #stopHeartbeat: () => void;
  #beat: Promise<void> = Promise.resolve();
  #lost = false;

  private constructor(place: LockPlace, generation: number, mark: LockMark, options: LockOptions) {
    this.token = { folder: place.uri, generation };
    this.#place = place;
    this.#mark = mark;
    this.#stopHeartbeat = options.clock.every(HEARTBEAT_MS, () => {
      this.#beat = this.#beat.then(() => this.#showLife(options));
    });
  }

  /**
   * @throws InvalidInputError, naming the holder, when somebody else holds the folder
   */
  static async take(folder: string, options: LockOptions): Promise<FolderLock> {
    const place = openLockPlace(folder);
    try {
      for (;;) {
        const highest = (await place.generations()).at(-1) ?? 0;
        if (highest > 0 && !(await isFree(place, highest, options))) continue;
        const since = new Date(options.clock.nowMs()).toISOString();
        const mark = await place.create(highest + 1, JSON.stringify(thisProcess(since)));
        if (mark === null) continue;
        // Whoever held the number before may have let go of it in between, and another may have begun to count anew.
        const present = await place.generations();
        if (highest > 0 && !present.includes(highest)) {
          await mark.close();
          await place.remove(highest + 1);
          continue;
        }
        for (const old of present) if (old <= highest) await place.remove(old);
        return new FolderLock(place, highest + 1, mark, options);
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
    await this.#mark.close();
    // A holder that was overtaken while it showed life on S3 has put its own, lower one down again.
    for (const generation of await this.#place.generations()) {
      if (generation <= this.token.generation) await this.#place.remove(generation);
    }
  }

  async #showLife({ onLost }: LockOptions): Promise<void> {
    if (this.#lost) return;
    try {
      await this.confirm();
      await this.#mark.showLife();
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
  const place = openLockPlace(folder);
  const present = await place.generations().catch((error: unknown) => {
    throw toShardexError(error, `looking for the lock of ${folder}`);
  });
  const highest = present.at(-1);
  if (highest === generation) return;
  const holder = highest === undefined ? null : holderIn(await place.read(highest));
  const successor = holder === null ? 'another process' : `${nameHolder(holder)},`;
  const who = highest === undefined ? 'its lock is gone' : `${successor} has taken over`;
  throw new StaleAttemptError(`this process does not hold ${folder} any more: ${who}`, {
    hint: 'it was not heard of for too long, and another process went on in its place',
  });
}

/** Whether the holder of this number is dead. @throws InvalidInputError when it lives; false when it has just let go */
async function isFree(place: LockPlace, generation: number, options: LockOptions): Promise<boolean> {
  const { refusal, hint, staleMs = LOCK_STALE_MS } = options;
  const found = await place.read(generation);
  if (found === null) return false;
  const holder = holderIn(found);
  if (holder !== null && isOnThisMachine(holder)) {
    if (!isAlive(holder)) return true;
    throw new InvalidInputError(`${refusal} ${place.uri}: ${nameHolder(holder)}`, { hint });
  }
  const silentMs = (await place.nowMs()) - found.heartbeatMs;
  if (silentMs > staleMs) return true;
  const who = holder === null ? 'a process that has just begun' : nameHolder(holder);
  const heard = `, last heard of ${Math.max(0, Math.round(silentMs / 1000))} s ago`;
  throw new InvalidInputError(`${refusal} ${place.uri}: ${who}${heard}`, {
    hint: `${hint}; a lock of another machine is free after ${staleMs / 1000} s of silence`,
  });
}

const holderIn = (found: { readonly text: string } | null): LockHolder | null =>
  found === null ? null : readHolder(found.text);
