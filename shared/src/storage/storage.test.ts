import { mkdtemp, mkdir, readdir, rm, writeFile, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  FileByteSource,
  FolderStore,
  joinUri,
  openByteSource,
  openStore,
  splitObjectUri,
  UnnamedFile,
} from './index.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shardex-storage-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe('a file as a byte source', () => {
  it('reads exactly the bytes asked for', async () => {
    await writeFile(join(folder, 'a'), bytes(1, 2, 3, 4, 5));
    const source = await FileByteSource.open(join(folder, 'a'));
    const target = new Uint8Array(3);
    await source.readInto(1, target);
    expect([...target]).toEqual([2, 3, 4]);
    expect(source.sizeBytes).toBe(5);
    await source.close();
  });

  it('says that the file is truncated when it ends early', async () => {
    await writeFile(join(folder, 'a'), bytes(1, 2, 3));
    const source = await FileByteSource.open(join(folder, 'a'));
    await expect(source.readInto(1, new Uint8Array(3))).rejects.toMatchObject({
      tag: 'CorruptData',
      message: `${join(folder, 'a')} is truncated: bytes 1 to 4 are needed but it ends at 3`,
    });
    await source.close();
  });

  it('has another version once the file has changed', async () => {
    await writeFile(join(folder, 'a'), bytes(1));
    const before = await FileByteSource.open(join(folder, 'a'));
    await writeFile(join(folder, 'a'), bytes(1, 2));
    const after = await FileByteSource.open(join(folder, 'a'));
    expect(after.version).not.toBe(before.version);
    await Promise.all([before.close(), after.close()]);
  });

  it('refuses what is absent and what is a folder', async () => {
    await expect(openByteSource(join(folder, 'none'))).rejects.toMatchObject({ tag: 'InvalidInput' });
    await expect(openByteSource(folder)).rejects.toMatchObject({
      tag: 'InvalidInput',
      message: `${folder} is a folder`,
    });
  });
});

describe('a folder as a store', () => {
  it('leaves nothing behind and keeps the old object when the disk is full', async () => {
    const store = new FolderStore(folder);
    await store.commit('a', [bytes(1)]);
    const handle = await open(join(folder, 'a'), 'r');
    const prototype = Object.getPrototypeOf(handle) as typeof handle;
    await handle.close();
    const write = vi
      .spyOn(prototype, 'write')
      .mockRejectedValueOnce(Object.assign(new Error('no space'), { code: 'ENOSPC' }));
    await expect(store.commit('a', [bytes(2)])).rejects.toMatchObject({ tag: 'ResourceExhausted' });
    expect(write).toHaveBeenCalledTimes(1);
    expect(await readdir(folder)).toEqual(['a']);
    expect([...(await store.readAll('a'))]).toEqual([1]);
  });

  it('does not list an object that is still being written', async () => {
    await mkdir(join(folder, 'a'));
    await writeFile(join(folder, 'a', '.x.123.partial'), '');
    expect(await new FolderStore(folder).list('a')).toEqual([]);
  });
});

describe('an address', () => {
  it('of a kind that is not known is refused', async () => {
    await expect(openByteSource('gopher://x')).rejects.toMatchObject({
      tag: 'InvalidInput',
      message: 'gopher://x: "gopher" is not a kind of storage this program knows',
      hint: 'give a path or s3://bucket/key',
    });
    expect(() => openStore('gopher://x')).toThrowError(/not a kind of storage/);
  });

  it('is taken apart and put together as it was written', () => {
    expect(joinUri('/a/b/', 'c/d')).toBe('/a/b/c/d');
    expect(joinUri('s3://bucket/a/', 'c/d')).toBe('s3://bucket/a/c/d');
    expect(joinUri('s3://bucket', 'c')).toBe('s3://bucket/c');
    expect(splitObjectUri('s3://bucket/a/b.h5ad')).toEqual({ folder: 's3://bucket/a', name: 'b.h5ad' });
    expect(splitObjectUri('s3://bucket/b.h5ad')).toEqual({ folder: 's3://bucket', name: 'b.h5ad' });
    expect(() => splitObjectUri('s3://bucket')).toThrowError('s3://bucket names no object');
  });
});

describe('an unnamed file', () => {
  it('holds what was written anywhere in it, and leaves nothing in the folder', async () => {
    const file = UnnamedFile.beside(join(folder, 'table'));
    expect(await readdir(folder)).toEqual([]);
    file.write(bytes(4, 5), 3);
    file.write(bytes(1, 2, 3), 0);
    const target = new Uint8Array(4);
    file.read(target, 1);
    expect([...target]).toEqual([2, 3, 4, 5]);
    file.close();
    file.close();
    expect(await readdir(folder)).toEqual([]);
  });

  it('says where it ends early, and where none can be made', () => {
    const file = UnnamedFile.beside(join(folder, 'table'));
    file.write(bytes(1, 2), 0);
    expect(() => file.read(new Uint8Array(3), 0)).toThrow(`a temporary file in ${folder} ends early`);
    file.close();
    const absent = join(folder, 'absent');
    expect(() => UnnamedFile.beside(join(absent, 'table'))).toThrow(`making a temporary file in ${absent}`);
  });
});
