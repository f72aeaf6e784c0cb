import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { InvalidInputError, StorageUnavailableError } from '../errors/index.js';
import type { ByteSource, ObjectStore } from '../storage/index.js';
import { BundleReader, encodeBundle, type BundleArray } from './array-bundle.js';
import { lostArtifacts, openArtifact } from './open-artifact.js';

const inMemory = (bytes: Uint8Array): ByteSource => ({
  uri: 'memory',
  sizeBytes: bytes.length,
  version: '1',
  readInto: (offset, target) => {
    target.set(bytes.subarray(offset, offset + target.length));
    return Promise.resolve();
  },
  close: () => Promise.resolve(),
});

const joined = (parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

const arrays: fc.Arbitrary<Record<string, BundleArray>> = fc.record({
  f64: fc.float64Array({ maxLength: 50 }),
  u32: fc.uint32Array({ maxLength: 50 }),
  u8: fc.uint8Array({ maxLength: 300 }),
  i64: fc.bigInt64Array({ maxLength: 20 }),
});

describe('a bundle', () => {
  it('gives back its header and every part of every array', async () => {
    await fc.assert(
      fc.asyncProperty(arrays, fc.nat(), fc.nat(), async (content, a, b) => {
        const reader = await BundleReader.open<{ note: string }>(
          inMemory(joined(encodeBundle({ note: 'é' }, content))),
        );
        expect(reader.meta).toEqual({ note: 'é' });
        expect(await reader.f64('f64')).toEqual(content['f64']);
        expect(await reader.i64('i64')).toEqual(content['i64']);
        const length = reader.lengthOf('u32');
        const [begin, end] = [Math.min(a, b) % (length + 1), Math.max(a, b) % (length + 1)].sort((x, y) => x - y);
        expect(await reader.u32('u32', begin, end)).toEqual(content['u32'].slice(begin, end));
        expect(await reader.u8('u8')).toEqual(content['u8']);
      }),
      { seed: 5, numRuns: 100 },
    );
  });

  it('reads ranges across the checked blocks of a large array', async () => {
    const large = Uint32Array.from({ length: 200_000 }, (_, i) => i * 7);
    const reader = await BundleReader.open(inMemory(joined(encodeBundle(null, { large }))));
    for (const [begin, end] of [
      [0, 1],
      [65_535, 65_537],
      [65_536, 131_072],
      [199_999, 200_000],
      [1000, 1000],
    ] as const) {
      expect(await reader.u32('large', begin, end)).toEqual(large.slice(begin, end));
    }
  });

  it('reads an array into memory that is there, and nothing else', async () => {
    const large = Float64Array.from({ length: 70_000 }, (_, i) => i / 7);
    const reader = await BundleReader.open(inMemory(joined(encodeBundle(null, { large }))));
    const memory = new Float64Array(new SharedArrayBuffer((large.length + 2) * 8));
    await reader.f64Into('large', memory.subarray(1, large.length + 1));
    expect(memory).toEqual(Float64Array.of(0, ...large, 0));
    await expect(reader.f64Into('large', memory)).rejects.toMatchObject({ tag: 'InvariantBroken' });
    const integers = { u32: Uint32Array.of(1, 2 ** 32 - 1), i64: BigInt64Array.of(-1n, 2n ** 62n) };
    const other = await BundleReader.open(inMemory(joined(encodeBundle(null, integers))));
    const [u32, i64] = [new Uint32Array(2), new BigInt64Array(2)];
    await other.u32Into('u32', u32);
    await other.i64Into('i64', i64);
    expect({ u32, i64 }).toEqual(integers);
    await expect(other.u32Into('i64', u32)).rejects.toMatchObject({ tag: 'InvariantBroken' });
    await expect(other.i64Into('i64', new BigInt64Array(3))).rejects.toMatchObject({ tag: 'InvariantBroken' });
  });

  it('reads ranges of bytes into memory that is there, and notices what is damaged in their blocks', async () => {
    const large = Uint8Array.from({ length: 600_000 }, (_, i) => i % 251);
    const bytes = joined(encodeBundle(null, { large }));
    const reader = await BundleReader.open(inMemory(bytes));
    for (const [begin, end] of [
      [0, 600_000],
      [262_143, 262_145],
      [262_144, 300_000],
      [599_999, 600_000],
    ] as const) {
      // prettier-ignore
      const room = new Uint8Array(reader.roomForU8('large', begin, end) + 8).fill(9);
      const found = await reader.u8Into('large', begin, end, room.subarray(0, room.length - 8));
      expect(found).toEqual(large.subarray(begin, end));
      expect(found.buffer).toBe(room.buffer);
      expect([...room.subarray(-8)]).toEqual([9, 9, 9, 9, 9, 9, 9, 9]);
    }
    bytes[bytes.length - 1] ^= 1;
    const room = new Uint8Array(reader.roomForU8('large', 590_000, 590_001));
    await expect(reader.u8Into('large', 590_000, 590_001, room)).rejects.toThrow('is damaged (array "large")');
    const sound = new Uint8Array(reader.roomForU8('large', 1000, 2000));
    expect(await reader.u8Into('large', 1000, 2000, sound)).toEqual(large.subarray(1000, 2000));
  });

  it('has the same bytes for the same content', () => {
    const make = (): Uint8Array => joined(encodeBundle({ a: 1 }, { x: Float64Array.of(1, 2), y: Uint8Array.of(3) }));
    expect(make()).toEqual(make());
  });

  it('has the same bytes whatever bits its NaNs have', () => {
    const make = (high: number): Uint8Array =>
      joined(encodeBundle(null, { x: new Float64Array(Uint32Array.of(7, high).buffer) }));
    expect(make(0xfff80000)).toEqual(make(0x7ff80000));
  });

  it.each([
    ['a flipped bit', (damaged: Uint8Array, at: number) => ((damaged[at] ^= 4), damaged)],
    ['the end missing', (damaged: Uint8Array, at: number) => damaged.subarray(0, at)],
    ['zeros to the end', (damaged: Uint8Array, at: number) => damaged.fill(0, at)],
  ])('notices %s wherever it is, and names itself as a result to be made again', async (_, damage) => {
    const bytes = joined(encodeBundle({ a: 1 }, { x: Float64Array.from({ length: 40 }, Math.sqrt) }));
    const header = new DataView(bytes.buffer).getUint32(4, true);
    for (const at of [0, 5, 20, header, bytes.length - 320, bytes.length - 1]) {
      const source = inMemory(damage(bytes.slice(), at));
      const close = vi.spyOn(source, 'close');
      const store = { uri: 'scratch', open: () => Promise.resolve(source) } as unknown as ObjectStore;
      const open = (): Promise<BundleReader<unknown>> => openArtifact(store, 'scan/1');
      const lost = { tag: 'ResultLost', details: { output: 'scan/1' } };
      const read = async (): Promise<unknown> => (await open()).f64('x');
      await expect(read(), `byte ${at}`).rejects.toMatchObject(lost);
      const readInto = async (): Promise<unknown> => (await open()).f64Into('x', new Float64Array(40));
      await expect(readInto(), `byte ${at}`).rejects.toMatchObject(lost);
      // A reader that never came about can't be closed by whoever asked for it.
      const isNoticedAtOnce = at <= header || source.sizeBytes < bytes.length;
      expect(close).toHaveBeenCalledTimes(isNoticedAtOnce ? 2 : 0);
    }
  });
});

describe('objects after a loss', () => {
  it('are told apart by their headers and lengths, however many are asked for', async () => {
    const whole = joined(encodeBundle({ a: 1 }, { x: Float64Array.from({ length: 40 }, Math.sqrt) }));
    const contents = new Map<string, Uint8Array>([
      ['emptied', whole.subarray(0, 0)],
      ['cut', whole.subarray(0, whole.length - 1)],
      ['zeros', new Uint8Array(whole.length)],
    ]);
    const names = Array.from({ length: 100 }, (_, i) => `scan/${i}`);
    for (const name of names) contents.set(name, whole);
    const closed: string[] = [];
    const open = (name: string): Promise<ByteSource> => {
      const bytes = contents.get(name);
      if (bytes === undefined) return Promise.reject(new InvalidInputError(`there is no ${name}`));
      return Promise.resolve({ ...inMemory(bytes), close: () => Promise.resolve(void closed.push(name)) });
    };
    const store = { uri: 'scratch', open } as unknown as ObjectStore;
    const asked = ['emptied', ...names, 'gone', 'zeros', 'cut'];
    expect(await lostArtifacts(store, asked)).toEqual(['emptied', 'gone', 'zeros', 'cut']);
    expect(closed.sort()).toEqual([...contents.keys()].sort());
    await expect(
      lostArtifacts({ uri: 'scratch', open: () => Promise.reject(new StorageUnavailableError('away')) } as never, [
        'x',
      ]),
    ).rejects.toMatchObject({ tag: 'StorageUnavailable' });
  });
});
