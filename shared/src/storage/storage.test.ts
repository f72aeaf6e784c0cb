import { mkdtemp, mkdir, readdir, rm, writeFile, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FileByteSource, FolderStore, openByteSource, openStore } from './index.js';

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
  it('gives back the parts of an object in order', async () => {
    const store = openStore(join(folder, 'new'));
    await store.commit('a/b', [bytes(1, 2), bytes(), bytes(3)]);
    expect([...(await store.readAll('a/b'))]).toEqual([1, 2, 3]);
    expect(await store.exists('a/b')).toBe(true);
    expect(await store.exists('a/c')).toBe(false);
    expect(await store.exists('a/b/c')).toBe(false);
  });

  it('replaces an object whole', async () => {
    const store = new FolderStore(folder);
    await store.commit('a', [bytes(1, 2, 3)]);
    await store.commit('a', [bytes(9)]);
    expect([...(await store.readAll('a'))]).toEqual([9]);
    expect(await readdir(folder)).toEqual(['a']);
  });

  it('lists and removes what is below a prefix and nothing beside it', async () => {
    const store = new FolderStore(folder);
    for (const name of ['jobs/1/x', 'jobs/1/y/z', 'jobs/10/x', 'other']) await store.commit(name, [bytes(1)]);
    expect(await store.list('jobs/1')).toEqual(['jobs/1/x', 'jobs/1/y/z']);
    expect(await store.list('other')).toEqual(['other']);
    expect(await store.list('none')).toEqual([]);
    await store.removeAll('jobs/1');
    await store.removeAll('none');
    expect(await store.list('')).toEqual(['jobs/10/x', 'other']);
  });

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

  it('refuses names that lead out of the folder', async () => {
    const store = new FolderStore(folder);
    for (const name of ['../a', '/a', 'a//b', '', 'a/..'])
      await expect(store.commit(name, [])).rejects.toMatchObject({ tag: 'InvalidInput' });
  });

  it('says that an absent object is absent', async () => {
    await expect(new FolderStore(folder).readAll('none')).rejects.toMatchObject({ tag: 'InvalidInput' });
  });
});

describe('storage that is not there', () => {
  it('is refused with a hint', async () => {
    await expect(openByteSource('s3://bucket/key')).rejects.toMatchObject({
      tag: 'UnsupportedData',
      message: 's3://bucket/key: reading from S3 is not available in this version',
      hint: 'copy the file to a local disk first',
    });
    expect(() => openStore('s3://bucket/key')).toThrowError(/writing to S3/);
    expect(() => openStore('gopher://x')).toThrowError(/not a kind of storage/);
  });
});
