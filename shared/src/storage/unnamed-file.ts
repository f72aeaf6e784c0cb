import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CorruptDataError, toShardexError } from '../errors/index.js';

/**
 * A local file for what does not fit into memory. It loses its name as soon as it is open, so that nothing of it is left
 * however the process ends. Reads and writes block: it is for threads that compute.
 */
export class UnnamedFile {
  private isOpen = true;

  private constructor(
    private readonly descriptor: number,
    private readonly folder: string,
  ) {}

  /**
   * Makes one in the folder of a file, which need not be there; its name for a moment says that it belongs to that.
   *
   * @throws InvalidInputError, ResourceExhaustedError when nothing can be made there
   */
  static beside(path: string): UnnamedFile {
    const folder = dirname(path);
    const name = join(folder, `.${basename(path)}.${randomUUID()}.partial`);
    try {
      const file = new UnnamedFile(openSync(name, 'wx+', 0o600), folder);
      unlinkSync(name);
      return file;
    } catch (error) {
      throw toShardexError(error, `making a temporary file in ${folder}`);
    }
  }

  /** @throws ResourceExhaustedError when the disk is full */
  write(bytes: Uint8Array, position: number): void {
    try {
      for (let done = 0; done < bytes.length;) {
        done += writeSync(this.descriptor, bytes, done, bytes.length - done, position + done);
      }
    } catch (error) {
      throw toShardexError(error, `writing a temporary file in ${this.folder}`);
    }
  }

  /** Fills `into` with what was written. */
  read(into: Uint8Array, position: number): void {
    for (let done = 0; done < into.length;) {
      const count = this.readOnce(into, done, position + done);
      if (count === 0) throw new CorruptDataError(`a temporary file in ${this.folder} ends early`);
      done += count;
    }
  }

  /** Gives its space back; harmless when it is closed already. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    closeSync(this.descriptor);
  }

  private readOnce(into: Uint8Array, done: number, position: number): number {
    try {
      return readSync(this.descriptor, into, done, into.length - done, position);
    } catch (error) {
      throw toShardexError(error, `reading a temporary file in ${this.folder}`);
    }
  }
}
