import { open, type FileHandle } from 'node:fs/promises';
import { CorruptDataError, InvalidInputError, toShardexError } from '../errors/index.js';
import type { ByteSource } from './byte-source.js';

/** Random access to a local file by positioned reads; any number of them may be in flight at once. */
export class FileByteSource implements ByteSource {
  private constructor(
    private readonly handle: FileHandle,
    readonly uri: string,
    readonly sizeBytes: number,
    readonly version: string,
  ) {}

  /**
   * @throws InvalidInputError when there is no such file, it is a folder, or it may not be read
   */
  static async open(path: string): Promise<FileByteSource> {
    let handle: FileHandle | undefined;
    try {
      handle = await open(path, 'r');
      const status = await handle.stat({ bigint: true });
      if (!status.isFile()) {
        const what = status.isDirectory() ? 'a folder' : 'not a regular file';
        throw new InvalidInputError(`${path} is ${what}`, { hint: 'name a file', details: { path } });
      }
      return new FileByteSource(handle, path, Number(status.size), `${status.size}-${status.mtimeNs}`);
    } catch (error) {
      await handle?.close();
      throw toShardexError(error, `opening ${path}`);
    }
  }

  async readInto(offset: number, target: Uint8Array): Promise<void> {
    let done = 0;
    while (done < target.byteLength) {
      const { bytesRead } = await this.readOnce(offset + done, target, done);
      if (bytesRead === 0) throw this.endsEarly(offset, target.byteLength);
      done += bytesRead;
    }
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  private async readOnce(position: number, target: Uint8Array, at: number): Promise<{ bytesRead: number }> {
    try {
      return await this.handle.read(target, at, target.byteLength - at, position);
    } catch (error) {
      throw toShardexError(error, `reading ${this.uri}`);
    }
  }

  private endsEarly(offset: number, length: number): CorruptDataError {
    return new CorruptDataError(
      `${this.uri} is truncated: bytes ${offset} to ${offset + length} are needed but it ends at ${this.sizeBytes}`,
      { hint: 'copy the file again', details: { path: this.uri, offset, length } },
    );
  }
}
