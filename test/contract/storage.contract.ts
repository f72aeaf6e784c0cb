import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ByteSource, ObjectStore } from '@shardex/shared/storage';

/** One kind of storage, as the suite sees it. */
export interface StorageUnderTest {
  /** A store that nobody else uses, empty. */
  readonly newStore: () => Promise<ObjectStore>;
  /** Opens an object for reading as an input is opened. */
  readonly openInput: (store: ObjectStore, name: string) => Promise<ByteSource>;
  /** A size at which an object is written in several pieces. */
  readonly largeBytes: number;
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** Bytes that differ from place to place. */
function pattern(length: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i, 2_654_435_761);
  return new Uint8Array(words.buffer, 0, length);
}

const digest = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** What every kind of storage promises; `open` gives it, once for the whole suite. */
export function describeStorage(name: string, open: () => Promise<StorageUnderTest>, close: () => Promise<void>): void {
  describe(name, () => {
    let storage: StorageUnderTest;
    let store: ObjectStore;
    let folder: string;
    beforeAll(async () => {
      storage = await open();
      store = await storage.newStore();
      folder = await mkdtemp(join(tmpdir(), 'shardex-contract-'));
    });
    afterAll(async () => {
      await rm(folder, { recursive: true, force: true });
      await close();
    });

    it('gives back the parts of an object in order', async () => {
      await store.commit('parts/b', [bytes(1, 2), bytes(), bytes(3)]);
      expect([...(await store.readAll('parts/b'))]).toEqual([1, 2, 3]);
      expect(await store.exists('parts/b')).toBe(true);
      expect(await store.exists('parts/c')).toBe(false);
      expect(await store.exists('parts/b/c')).toBe(false);
    });

    it('replaces an object whole', async () => {
      await store.commit('replaced', [bytes(1, 2, 3)]);
      await store.commit('replaced', [bytes(9)]);
      expect([...(await store.readAll('replaced'))]).toEqual([9]);
    });

    it('keeps an empty object', async () => {
      await store.commit('empty', []);
      expect(await store.exists('empty')).toBe(true);
      expect((await store.readAll('empty')).byteLength).toBe(0);
      const source = await store.open('empty');
      expect(source.sizeBytes).toBe(0);
      await source.close();
    });

    it('reads exactly the bytes asked for, anywhere, many at once', async () => {
      const data = pattern(3_000_000);
      await store.commit('ranges', [data]);
      const source = await store.open('ranges');
      expect(source.sizeBytes).toBe(data.byteLength);
      const ranges = [
        [0, 1],
        [65_530, 12],
        [2_999_999, 1],
        [100, 2_500_000],
        [1_000_000, 0],
        ...Array.from({ length: 60 }, (_, i) => [i * 49_999, 333]),
      ];
      const read = await Promise.all(
        ranges.map(async ([offset, length]) => {
          const target = new Uint8Array(length);
          await source.readInto(offset, target);
          return digest(target);
        }),
      );
      expect(read).toEqual(ranges.map(([offset, length]) => digest(data.subarray(offset, offset + length))));
      await source.close();
    });

    it('says that an object is truncated when a read goes beyond its end', async () => {
      await store.commit('short', [bytes(1, 2, 3)]);
      const source = await store.open('short');
      await expect(source.readInto(1, new Uint8Array(3))).rejects.toMatchObject({
        tag: 'CorruptData',
        message: `${source.uri} is truncated: bytes 1 to 4 are needed but it ends at 3`,
      });
      await source.close();
    });

    it('has another version once the object has changed', async () => {
      await store.commit('version', [bytes(1)]);
      const before = await storage.openInput(store, 'version');
      const again = await storage.openInput(store, 'version');
      expect(again.version).toBe(before.version);
      await store.commit('version', [bytes(1, 2)]);
      const after = await storage.openInput(store, 'version');
      expect(after.version).not.toBe(before.version);
      await Promise.all([before.close(), again.close(), after.close()]);
    });

    it('writes and reads back what does not fit into one piece', async () => {
      const data = pattern(storage.largeBytes);
      const third = Math.floor(data.byteLength / 3);
      await store.commit('large', [data.subarray(0, third), data.subarray(third)]);
      const source = await store.open('large');
      const read = new Uint8Array(source.sizeBytes);
      await source.readInto(0, read);
      await source.close();
      expect(digest(read)).toBe(digest(data));
    });

    it('takes in local files of any size', async () => {
      for (const [name, length] of [
        ['none', 0] as const,
        ['small', 1000] as const,
        ['big', storage.largeBytes] as const,
      ]) {
        const data = pattern(length);
        await writeFile(join(folder, name), data);
        await store.upload(`uploaded/${name}`, join(folder, name));
        expect(digest(await store.readAll(`uploaded/${name}`)), name).toBe(digest(data));
      }
      await expect(store.upload('uploaded/x', join(folder, 'absent'))).rejects.toMatchObject({ tag: 'InvalidInput' });
      expect(await store.exists('uploaded/x')).toBe(false);
    });

    it('lets exactly one of several writers make a new object, and none replace it', async () => {
      const writers = [1, 2, 3, 4, 5, 6];
      const won = await Promise.all(writers.map((writer) => store.commitNew('new/one', [bytes(writer)])));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect([...(await store.readAll('new/one'))]).toEqual([writers[won.indexOf(true)]]);
      expect(await store.commitNew('new/one', [bytes(9)])).toBe(false);
      expect([...(await store.readAll('new/one'))]).toEqual([writers[won.indexOf(true)]]);
      expect(await store.list('new')).toEqual(['new/one']);
    });

    it('lists and removes what is below a prefix and nothing beside it', async () => {
      const own = await storage.newStore();
      for (const each of ['jobs/1/x', 'jobs/1/y/z', 'jobs/10/x', 'jobs/1/a & b <c>', 'other']) {
        await own.commit(each, [bytes(1)]);
      }
      expect(await own.list('jobs/1')).toEqual(['jobs/1/a & b <c>', 'jobs/1/x', 'jobs/1/y/z']);
      expect(await own.list('jobs/1/')).toEqual(['jobs/1/a & b <c>', 'jobs/1/x', 'jobs/1/y/z']);
      expect(await own.list('other')).toEqual(['other']);
      expect(await own.list('none')).toEqual([]);
      await own.removeAll('jobs/1');
      await own.removeAll('none');
      expect(await own.list('')).toEqual(['jobs/10/x', 'other']);
      await own.removeAll('');
      expect(await own.list('')).toEqual([]);
    });

    it('keeps names as they are', async () => {
      const names = ['names/with space', 'names/ä+b', 'names/50%', "names/it's(1)"];
      for (const each of names) await store.commit(each, [new TextEncoder().encode(each)]);
      expect(await store.list('names')).toEqual([...names].sort());
      for (const each of names) expect(new TextDecoder().decode(await store.readAll(each))).toBe(each);
    });

    it('refuses names that lead out of it', async () => {
      for (const each of ['../a', '/a', 'a//b', '', 'a/..'])
        await expect(store.commit(each, [])).rejects.toMatchObject({ tag: 'InvalidInput' });
    });

    it('says that an absent object is absent', async () => {
      await expect(store.readAll('none')).rejects.toMatchObject({ tag: 'InvalidInput' });
      await expect(store.open('none')).rejects.toMatchObject({ tag: 'InvalidInput' });
      await expect(storage.openInput(store, 'none')).rejects.toMatchObject({ tag: 'InvalidInput' });
    });
  });
}
