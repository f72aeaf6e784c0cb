import { randomUUID } from 'node:crypto';
import { access, copyFile, link, open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join, basename } from 'node:path';
import { toShardexError } from '../errors/index.js';
import type { ByteSource, CommitOptions, ObjectStore } from './byte-source.js';
import { FileByteSource } from './file-byte-source.js';
import { makeFolder } from './make-folder.js';
import { requireObjectName } from './object-name.js';

/** Ends the names of objects that are still being written; such files are invisible to `list`. */
const PARTIAL_SUFFIX = '.partial';
/** A folder that fills while it is removed is tried again, after 20, 40, … ms. */
const REMOVAL = { maxRetries: 10, retryDelay: 20 };

/** Objects as files below one folder; the folder and those within it are made when they are first needed. */
export class FolderStore implements ObjectStore {
  constructor(readonly uri: string) {}

  async open(name: string): Promise<ByteSource> {
    return FileByteSource.open(this.pathOf(name));
  }

  async exists(name: string): Promise<boolean> {
    try {
      await access(this.pathOf(name));
      return true;
    } catch (error) {
      if (isAbsent(error)) return false;
      throw toShardexError(error, `looking for ${this.pathOf(name)}`);
    }
  }

  async readAll(name: string): Promise<Uint8Array> {
    const source = await this.open(name);
    try {
      const bytes = new Uint8Array(source.sizeBytes);
      await source.readInto(0, bytes);
      return bytes;
    } finally {
      await source.close();
    }
  }

  async commit(name: string, parts: readonly Uint8Array[], options: CommitOptions = {}): Promise<void> {
    const write = (partial: string): Promise<void> => writeParts(partial, parts, options.isDurable ?? true);
    await this.place(name, write, rename, options);
  }

  async commitNew(name: string, parts: readonly Uint8Array[]): Promise<boolean> {
    let isNew = true;
    await this.place(
      name,
      (partial) => writeParts(partial, parts, true),
      async (partial, path) => {
        // A link, unlike a rename, fails where there is a file already.
        await link(partial, path).catch((error: unknown) => {
          if (codeOf(error) !== 'EEXIST') throw error;
          isNew = false;
        });
        await rm(partial);
      },
    );
    return isNew;
  }

  async upload(name: string, path: string): Promise<void> {
    await this.place(name, (partial) => copyDurably(path, partial), rename);
  }

  async list(prefix: string): Promise<string[]> {
    const names: string[] = [];
    const visit = async (folder: string): Promise<void> => {
      const entries = await readdir(join(this.uri, folder), { withFileTypes: true });
      for (const entry of entries) {
        const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
        if (entry.isDirectory()) await visit(name);
        else if (!entry.name.endsWith(PARTIAL_SUFFIX)) names.push(name);
      }
    };
    const root = trimmed(prefix);
    try {
      await visit(root);
    } catch (error) {
      if (codeOf(error) === 'ENOTDIR') return [root];
      if (!isAbsent(error)) throw toShardexError(error, `listing ${join(this.uri, root)}`);
    }
    return names.sort();
  }

  async removeAll(prefix: string): Promise<void> {
    const root = trimmed(prefix);
    const path = root === '' ? this.uri : this.pathOf(root);
    try {
      // Somebody may still be writing there: what appears meanwhile is removed too.
      await rm(path, { recursive: true, force: true, ...REMOVAL });
    } catch (error) {
      throw toShardexError(error, `removing ${path}`);
    }
  }

  /** Writes a file under a hidden name and then gives it its own. */
  private async place(
    name: string,
    write: (partial: string) => Promise<void>,
    reveal: (partial: string, path: string) => Promise<void>,
    { isDurable = true, makesStore = true }: CommitOptions = {},
  ): Promise<void> {
    const path = this.pathOf(name);
    const folder = dirname(path);
    const partial = join(folder, `.${basename(path)}.${randomUUID()}${PARTIAL_SUFFIX}`);
    try {
      await makeFolder(folder, makesStore ? undefined : this.uri);
      await write(partial);
      await reveal(partial, path);
      if (isDurable) await syncFolder(folder);
    } catch (error) {
      await rm(partial, { force: true });
      throw toShardexError(error, `writing ${path}`);
    }
  }

  private pathOf(name: string): string {
    requireObjectName(name);
    return join(this.uri, name);
  }
}

/** @param isDurable - wait until they have reached the disk */
async function writeParts(path: string, parts: readonly Uint8Array[], isDurable: boolean): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    for (const part of parts) await writeAll(handle, part);
    if (isDurable) await handle.sync();
  } finally {
    await handle.close();
  }
}

async function copyDurably(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  const handle = await open(to, 'r');
  await handle.sync().finally(() => handle.close());
}

async function writeAll(handle: FileHandle, part: Uint8Array): Promise<void> {
  let done = 0;
  while (done < part.byteLength) {
    const { bytesWritten } = await handle.write(part, done, part.byteLength - done);
    done += bytesWritten;
  }
}

/** A rename survives a power cut only once the folder itself has been written. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems refuse to sync a folder; the object is complete and visible all the same.
    if (codeOf(error) !== 'EINVAL' && codeOf(error) !== 'ENOTSUP') throw error;
  } finally {
    await handle.close();
  }
}

const trimmed = (prefix: string): string => prefix.replace(/\/+$/, '');

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';

const isAbsent = (error: unknown): boolean => codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';
