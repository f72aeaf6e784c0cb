import { randomUUID } from 'node:crypto';
import { open, readFile, readdir, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidInputError, StorageUnavailableError } from '@shardex/shared/errors';
import { isS3Uri, S3Store } from '@shardex/shared/storage';

/** A lock that this process has put down. */
export interface LockMark {
  /** Sets the mark's time to now, by the clock of whoever keeps it. */
  showLife(): Promise<void>;
  /** Lets go of what the mark holds here; it stays where it is. */
  close(): Promise<void>;
}

/** Where the marks of a lock are: a folder, or a prefix on S3 by the same contract. */
export interface LockPlace {
  readonly uri: string;
  /** Numbers of the marks, ascending; none when there is no such place. */
  generations(): Promise<number[]>;
  /** Puts a mark down. @returns null when there is one of this number */
  create(generation: number, text: string): Promise<LockMark | null>;
  /** What a mark says, and when it last showed life; null when it is gone. */
  read(generation: number): Promise<{ readonly text: string; readonly heartbeatMs: number } | null>;
  /** Removes a mark; an absent one is no error. */
  remove(generation: number): Promise<void>;
  /** The time as whoever keeps the place tells it: the clocks of two machines may differ. */
  nowMs(): Promise<number>;
}

export const openLockPlace = (uri: string): LockPlace => (isS3Uri(uri) ? new S3LockPlace(uri) : new LockFolder(uri));

const numberOf = (generation: number): string => String(generation).padStart(6, '0');

const ascending = (names: readonly string[], prefix: string): number[] =>
  names
    .map((name) => (name.startsWith(prefix) ? Number(name.slice(prefix.length)) : NaN))
    .filter((generation) => Number.isInteger(generation))
    .sort((a, b) => a - b);

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Files `.shardex-lock-N` in a folder. */
class LockFolder implements LockPlace {
  static readonly #prefix = '.shardex-lock-';

  constructor(readonly uri: string) {}

  async generations(): Promise<number[]> {
    try {
      return ascending(await readdir(this.uri), LockFolder.#prefix);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  async create(generation: number, text: string): Promise<LockMark | null> {
    const path = this.#fileOf(generation);
    let file: FileHandle;
    try {
      file = await open(path, 'wx');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return null;
      throw error;
    }
    try {
      // The first byte is what heartbeats write again: it changes nothing but the file's time.
      await file.write(`\n${text}`, 0);
      await file.sync();
    } catch (error) {
      await file.close();
      await rm(path, { force: true });
      throw error;
    }
    return {
      showLife: async () => void (await file.write('\n', 0)),
      close: () => file.close(),
    };
  }

  async read(generation: number): Promise<{ text: string; heartbeatMs: number } | null> {
    const path = this.#fileOf(generation);
    try {
      const { mtimeMs } = await stat(path);
      return { text: await readFile(path, 'utf8'), heartbeatMs: mtimeMs };
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  remove(generation: number): Promise<void> {
    return rm(this.#fileOf(generation), { force: true });
  }

  async nowMs(): Promise<number> {
    const probe = join(this.uri, `.shardex-probe-${randomUUID()}`);
    const file = await open(probe, 'wx');
    try {
      await file.write('\n', 0);
      return (await file.stat()).mtimeMs;
    } finally {
      await file.close();
      await rm(probe, { force: true });
    }
  }

  #fileOf(generation: number): string {
    return join(this.uri, `${LockFolder.#prefix}${numberOf(generation)}`);
  }
}

/** Objects `.shardex-lock/N` below a prefix: conditional writes let only one process create a number. */
class S3LockPlace implements LockPlace {
  static readonly #prefix = '.shardex-lock/';
  readonly #store: S3Store;

  constructor(readonly uri: string) {
    this.#store = new S3Store(uri);
  }

  async generations(): Promise<number[]> {
    return ascending(await this.#store.list(S3LockPlace.#prefix), S3LockPlace.#prefix);
  }

  async create(generation: number, text: string): Promise<LockMark | null> {
    const name = this.#nameOf(generation);
    const bytes = Buffer.from(text);
    if (!(await this.#store.commitNew(name, [bytes]))) return null;
    return { showLife: () => this.#store.commit(name, [bytes]), close: () => Promise.resolve() };
  }

  async read(generation: number): Promise<{ text: string; heartbeatMs: number } | null> {
    const name = this.#nameOf(generation);
    const heartbeatMs = await this.#store.modifiedMs(name);
    if (heartbeatMs === null) return null;
    try {
      return { text: Buffer.from(await this.#store.readAll(name)).toString(), heartbeatMs };
    } catch (error) {
      // It may go between the two questions.
      if (error instanceof InvalidInputError) return null;
      throw error;
    }
  }

  remove(generation: number): Promise<void> {
    return this.#store.removeAll(this.#nameOf(generation));
  }

  async nowMs(): Promise<number> {
    const probe = `${S3LockPlace.#prefix}probe-${randomUUID()}`;
    await this.#store.commit(probe, [Buffer.from('\n')]);
    try {
      const nowMs = await this.#store.modifiedMs(probe);
      if (nowMs === null) throw new StorageUnavailableError(`${this.uri} has lost ${probe}, which was just written`);
      return nowMs;
    } finally {
      await this.#store.removeAll(probe);
    }
  }

  #nameOf(generation: number): string {
    return `${S3LockPlace.#prefix}${numberOf(generation)}`;
  }
}
