import { randomUUID } from 'node:crypto';
import { open, rename, rm, stat, statfs, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InvalidInputError, ResourceExhaustedError, toShardexError } from '../errors/index.js';

/**
 * A file that is written under a hidden sibling name and renamed into place when it is whole, so that nobody ever sees
 * half of it under its own name. Every failure is one of ours and names the final path.
 */
export class TemporaryFile {
  private handle: FileHandle | null;

  private constructor(
    readonly path: string,
    readonly temporaryPath: string,
    handle: FileHandle,
  ) {
    this.handle = handle;
  }

  /** @throws InvalidInputError when the folder is missing or not writable, or `path` is a directory */
  static async create(path: string): Promise<TemporaryFile> {
    try {
      const existing = await stat(path).catch(() => null);
      if (existing?.isDirectory() === true) {
        throw new InvalidInputError(`writing ${path}: this is a directory`, { hint: 'name a file' });
      }
      const temporaryPath = join(dirname(path), `.${basename(path)}.${randomUUID()}.partial`);
      return new TemporaryFile(path, temporaryPath, await open(temporaryPath, 'wx+', 0o666));
    } catch (error) {
      throw toShardexError(error, `writing ${path}`);
    }
  }

  /** Runs `body` on the open file; whatever it throws becomes one of our errors. */
  async use<Result>(body: (handle: FileHandle) => Promise<Result>): Promise<Result> {
    if (this.handle === null) throw new InvalidInputError(`writing ${this.path}: the file is already closed`);
    try {
      return await body(this.handle);
    } catch (error) {
      throw toShardexError(error, `writing ${this.path}`);
    }
  }

  /** Writes all of `bytes` at `position`; they must not change before it resolves. */
  async writeAt(bytes: Uint8Array, position: number): Promise<void> {
    await this.use(async (handle) => {
      for (let done = 0; done < bytes.byteLength;) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.byteLength - done, position + done);
        done += bytesWritten;
      }
    });
  }

  async readAt(position: number, length: number): Promise<Buffer> {
    return this.use(async (handle) => {
      const bytes = Buffer.alloc(length);
      await handle.read(bytes, 0, length, position);
      return bytes;
    });
  }

  async sizeBytes(): Promise<number> {
    return this.use(async (handle) => (await handle.stat()).size);
  }

  /**
   * Fails early when the file system has less room than the file will surely need.
   *
   * @throws ResourceExhaustedError
   */
  async requireRoom(bytes: number): Promise<void> {
    const room = await this.use(async () => {
      const { bavail, bsize } = await statfs(dirname(this.path));
      return bavail * bsize;
    });
    if (room >= bytes) return;
    throw new ResourceExhaustedError(
      `writing ${this.path}: ${Math.ceil(bytes / 1e6)} MB are needed and ${Math.floor(room / 1e6)} MB are free`,
      { hint: 'free some space or choose another place', details: { neededBytes: bytes, freeBytes: room } },
    );
  }

  /** Waits until the bytes written so far are on disk. */
  async sync(): Promise<void> {
    await this.use((handle) => handle.sync());
  }

  /** Waits until the bytes are on disk and gives the file its name, replacing what was there. */
  async commit(): Promise<void> {
    await this.use(async (handle) => {
      await handle.sync();
      this.handle = null;
      await handle.close();
      await rename(this.temporaryPath, this.path);
      const folder = await open(dirname(this.path), 'r');
      // The rename survives a power cut only once the folder itself is on disk.
      await folder.sync().finally(() => folder.close());
    });
  }

  /** Removes the temporary file; does nothing after `commit` or another `discard`. */
  async discard(): Promise<void> {
    const handle = this.handle;
    if (handle === null) return;
    this.handle = null;
    await handle.close().catch(() => undefined);
    await rm(this.temporaryPath, { force: true });
  }
}
