import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { float16ToNumber } from '../../matrix/index.js';
import type { ByteSource } from '../../storage/index.js';
import type { ScalarType } from '../types.js';
import { ElementConverter, newValueArray, swapBytes } from './element-converter.js';
import { planRanges } from './range-plan.js';
import { StoredChunkReader } from './stored-chunk-reader.js';

const RUNS = { seed: 5, numRuns: 200 };

describe('planning ranges', () => {
  const chunks = fc.array(
    fc.record({ gap: fc.nat(200_000), size: fc.integer({ min: 1, max: 5000 }), absent: fc.boolean() }),
    {
      maxLength: 40,
    },
  );

  it('places every stored chunk once, within windows of bounded size', () => {
    fc.assert(
      fc.property(chunks, fc.integer({ min: 1, max: 20_000 }), fc.boolean(), (list, windowBytes, reversed) => {
        let end = 0;
        const placed = list.map(({ gap, size, absent }) => {
          const offset = end + gap;
          end = offset + size;
          return { offset: absent ? -1 : offset, size };
        });
        if (reversed) placed.reverse();
        const sizes = placed.map(({ size }) => size);
        const { windows, positions } = planRanges(
          placed.map(({ offset }) => offset),
          sizes,
          windowBytes,
        );
        windows.forEach((window, w) => {
          const last = windows[w + 1]?.first ?? list.length;
          const stored = placed.slice(window.first, last).filter(({ offset }) => offset >= 0);
          const bytes = stored.reduce((sum, { size }) => sum + size, 0);
          expect(bytes <= windowBytes || stored.length === 1).toBe(true);
          for (let i = window.first; i < last; i++) {
            const { offset, size } = placed[i];
            if (offset < 0) {
              expect(positions[i]).toBe(-1);
              continue;
            }
            const range = window.ranges.find((r) => r.offset <= offset && offset + size <= r.offset + r.length);
            expect(range).not.toBeUndefined();
            expect(positions[i]).toBe((range?.at ?? 0) + offset - (range?.offset ?? 0));
          }
        });
        expect(windows.length === 0).toBe(list.length === 0);
      }),
      RUNS,
    );
  });

  it('reads neighbours by one range and distant chunks by two', () => {
    expect(planRanges([100, 200, 1_000_000], [100, 50, 10], 1 << 20).windows).toEqual([
      {
        first: 0,
        ranges: [
          { offset: 100, length: 150, at: 0 },
          { offset: 1_000_000, length: 10, at: 150 },
        ],
        bytes: 160,
      },
    ]);
  });
});

describe('reading stored chunks', () => {
  const content = Uint8Array.from({ length: 1000 }, (_, i) => i % 256);
  const map = {
    chunkShape: [10],
    grid: [100],
    count: 100,
    chunkBytes: 10,
    offsetOf: (chunk: number) => (chunk === 7 ? -1 : chunk * 10),
    sizeOf: () => 10,
    maskOf: () => 0,
    inline: null,
  };
  const sourceOf = (readInto: ByteSource['readInto']): ByteSource => ({
    uri: 'memory',
    sizeBytes: content.length,
    version: '1',
    readInto,
    close: async () => undefined,
  });
  const fromMemory = sourceOf((offset, target) => {
    target.set(content.subarray(offset, offset + target.length));
    return Promise.resolve();
  });

  it('yields them in the order asked for, whatever the window', async () => {
    for (const windowBytes of [1, 25, 40, 10_000]) {
      const order = [3, 4, 5, 6, 7, 8, 50, 2, 99];
      const reader = new StoredChunkReader(fromMemory, map, order, windowBytes, 'F', 'X');
      for (const chunk of order) {
        const bytes = await reader.next();
        expect(bytes === null ? null : [...bytes]).toEqual(
          chunk === 7 ? null : [...content.subarray(chunk * 10, chunk * 10 + 10)],
        );
      }
    }
  });

  it('fetches one window ahead of its use and no further', async () => {
    let reads = 0;
    const counting = sourceOf((offset, target) => {
      reads++;
      return fromMemory.readInto(offset, target);
    });
    const reader = new StoredChunkReader(counting, map, [0, 1, 2, 3], 10, 'F', 'X');
    expect(reads).toBe(1);
    await reader.next();
    expect(reads).toBe(2);
    await reader.next();
    expect(reads).toBe(3);
  });

  it('passes on the failure of a range when it is needed', async () => {
    const failing = sourceOf((offset, target) =>
      offset >= 10 ? Promise.reject(new RangeError('gone')) : fromMemory.readInto(offset, target),
    );
    const reader = new StoredChunkReader(failing, map, [0, 1], 10, 'F', 'X');
    expect(await reader.next()).not.toBeNull();
    await expect(reader.next()).rejects.toThrow('gone');
  });

  it('hands its buffers to the next reader, but none that a range is still being fetched into', async () => {
    const bytes = 300_000;
    const large = { ...map, chunkBytes: bytes, offsetOf: (chunk: number) => chunk * bytes, sizeOf: () => bytes };
    const targets: ArrayBufferLike[] = [];
    const pending: (() => void)[] = [];
    const held: ByteSource = {
      ...fromMemory,
      sizeBytes: 100 * bytes,
      readInto: (_, target) => {
        targets.push(target.buffer);
        return targets.length < 3 ? Promise.resolve() : new Promise((resolve) => void pending.push(resolve));
      },
    };
    const read = async (): Promise<StoredChunkReader> => {
      const reader = new StoredChunkReader(held, large, [0, 1, 2], bytes, 'F', 'X');
      await reader.next();
      return reader;
    };
    const first = await read();
    await first.next();
    // The third window is being fetched into the first one's buffer.
    expect(targets[2]).toBe(targets[0]);
    first.close();
    const others = [new StoredChunkReader(held, large, [3], bytes, 'F', 'X')];
    expect(targets.slice(0, 3)).not.toContain(targets[3]);
    pending[0]();
    await new Promise(setImmediate);
    others.push(new StoredChunkReader(held, large, [4], bytes, 'F', 'X'));
    expect(targets.slice(0, 2)).toContain(targets[4]);
    for (const reader of others) reader.close();
    pending.forEach((resolve) => resolve());
  });

  it('refuses a chunk that lies beyond the end of the file', () => {
    const beyond = { ...map, offsetOf: () => 995 };
    expect(() => new StoredChunkReader(fromMemory, beyond, [4], 10, 'F', 'X')).toThrow(
      'F is damaged: chunk 4 of X lies beyond the end of the file',
    );
  });
});

describe('converting elements', () => {
  /** The slow twin: one element by DataView. */
  const element = ({ kind, bytes, littleEndian }: ScalarType, view: DataView, at: number): number => {
    if (kind === 'float') {
      if (bytes === 2) return float16ToNumber(view.getUint16(at, littleEndian));
      return bytes === 4 ? view.getFloat32(at, littleEndian) : view.getFloat64(at, littleEndian);
    }
    const signed = kind === 'int';
    if (bytes === 8) return Number(signed ? view.getBigInt64(at, littleEndian) : view.getBigUint64(at, littleEndian));
    if (bytes === 4) return signed ? view.getInt32(at, littleEndian) : view.getUint32(at, littleEndian);
    if (bytes === 2) return signed ? view.getInt16(at, littleEndian) : view.getUint16(at, littleEndian);
    return signed ? view.getInt8(at) : view.getUint8(at);
  };
  const types = fc.constantFrom<ScalarType>(
    ...(['int', 'uint', 'float'] as const).flatMap((kind) =>
      ([1, 2, 4, 8] as const)
        .filter((bytes) => kind !== 'float' || bytes > 1)
        .flatMap((bytes) => [true, false].map((littleEndian): ScalarType => ({ kind, bytes, littleEndian }))),
    ),
    { kind: 'bool', bytes: 1, littleEndian: true },
  );

  it('equals reading them one by one, rounded as the array rounds', () => {
    fc.assert(
      fc.property(types, fc.uint8Array({ minLength: 64, maxLength: 64 }), (type, random) => {
        const count = 64 / type.bytes;
        const view = new DataView(random.slice().buffer);
        const expected = newValueArray(type, count);
        for (let i = 0; i < count; i++) expected[i] = element(type, view, i * type.bytes);
        const stored = random.slice();
        if (!type.littleEndian) swapBytes(stored, type.bytes);
        const found = newValueArray(type, count + 2);
        new ElementConverter(type, stored.buffer).copy(1, count - 1, found, 2);
        expect([...found.subarray(2, count + 1)]).toEqual([...expected.subarray(1)]);
      }),
      RUNS,
    );
  });

  it('turns indices that do not fit into ones that no matrix has', () => {
    const words = BigInt64Array.of(3n, -1n, 2n ** 32n, 2n ** 33n + 5n);
    const indices = new Uint32Array(4);
    new ElementConverter({ kind: 'int', bytes: 8, littleEndian: true }, words.buffer).copy(0, 4, indices, 0);
    expect([...indices]).toEqual([3, 0xffffffff, 0xffffffff, 0xffffffff]);
  });
});
