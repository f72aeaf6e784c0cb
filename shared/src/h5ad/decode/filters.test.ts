import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkDecoder } from './chunk-decoder.js';
import { exchangedFletcher32, fletcher32 } from './fletcher32.js';
import { createPublicInflater, sharedInflater } from './inflater.js';
import { decompressLzf } from './lzf.js';
import { unshuffle } from './unshuffle.js';

const RUNS = { seed: 11, numRuns: 200 };
/** Bytes with repetitions, so that there is something to compress. */
const compressible = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 1, max: 40 })), { minLength: 1, maxLength: 60 })
  .map((runs) => Uint8Array.from(runs.flatMap(([byte, length]) => new Array<number>(length).fill(byte))));

describe('inflating', () => {
  for (const [name, inflater] of [
    ['by the reused handle', sharedInflater()],
    ['by the documented function', createPublicInflater()],
  ] as const) {
    it(`${name} gives back what was deflated`, () => {
      fc.assert(
        fc.property(compressible, (bytes) => {
          const target = new Uint8Array(bytes.length);
          expect(inflater.inflate(deflateSync(bytes), target)).toBeNull();
          expect(target).toEqual(bytes);
        }),
        RUNS,
      );
    });

    it(`${name} tells of streams that are cut, too short, too long or damaged`, () => {
      const bytes = Uint8Array.from({ length: 500 }, (_, i) => (i * i) % 251);
      const stream = deflateSync(bytes);
      expect(inflater.inflate(stream.subarray(0, 50), new Uint8Array(500))).not.toBeNull();
      expect(inflater.inflate(stream, new Uint8Array(501))).not.toBeNull();
      expect(inflater.inflate(stream, new Uint8Array(499))).not.toBeNull();
      const damaged = Uint8Array.from(stream);
      damaged[damaged.length - 1] ^= 1;
      expect(inflater.inflate(damaged, new Uint8Array(500))).not.toBeNull();
      expect(inflater.inflate(stream, new Uint8Array(500))).toBeNull();
    });
  }

  it('uses the handle on the versions of Node that are tested', () => {
    expect(sharedInflater().constructor.name).toBe('HandleInflater');
  });
});

/** A simple LZF compressor: the longest match among all earlier positions, literals otherwise. */
function compressLzf(bytes: Uint8Array): Uint8Array {
  const out: number[] = [];
  let literals: number[] = [];
  const flush = (): void => {
    for (let i = 0; i < literals.length; i += 32) {
      const run = literals.slice(i, i + 32);
      out.push(run.length - 1, ...run);
    }
    literals = [];
  };
  for (let at = 0; at < bytes.length;) {
    let best = { length: 0, distance: 0 };
    for (let distance = 1; distance <= Math.min(at, 8192); distance++) {
      let length = 0;
      while (at + length < bytes.length && length < 264 && bytes[at + length] === bytes[at + length - distance])
        length++;
      if (length > best.length) best = { length, distance };
    }
    if (best.length < 3) {
      literals.push(bytes[at++]);
      continue;
    }
    flush();
    const length = best.length - 2;
    const distance = best.distance - 1;
    out.push((Math.min(length, 7) << 5) | (distance >> 8));
    if (length >= 7) out.push(length - 7);
    out.push(distance & 255);
    at += best.length;
  }
  flush();
  return Uint8Array.from(out);
}

describe('LZF', () => {
  it('decompresses what a simple compressor makes', () => {
    fc.assert(
      fc.property(compressible, (bytes) => {
        const target = new Uint8Array(bytes.length);
        expect(decompressLzf(compressLzf(bytes), target)).toBeNull();
        expect(target).toEqual(bytes);
      }),
      RUNS,
    );
  });

  it('never writes or reads outside, whatever the stream', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(80), (stream, length) => {
        const guarded = new Uint8Array(length + 8).fill(0xee);
        decompressLzf(stream, guarded.subarray(0, length));
        expect(guarded.subarray(length).every((byte) => byte === 0xee)).toBe(true);
      }),
      RUNS,
    );
    expect(decompressLzf(Uint8Array.of(0, 1), new Uint8Array(2))).toBe('it holds 1 bytes instead of 2');
    expect(decompressLzf(Uint8Array.of(5, 1), new Uint8Array(9))).toBe('a literal run is too long');
    expect(decompressLzf(Uint8Array.of(0x20, 0), new Uint8Array(9))).toBe('a match lies outside the data');
  });
});

describe('unshuffling', () => {
  it('puts byte j of element i back to i · width + j', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 90 }),
        fc.constantFrom(1, 2, 4, 8),
        fc.nat(3),
        (bytes, width, misalignment) => {
          const count = Math.floor(bytes.length / width);
          const shuffled = bytes.slice();
          for (let i = 0; i < count * width; i++) shuffled[(i % width) * count + Math.floor(i / width)] = bytes[i];
          const target = new Uint8Array(bytes.length + misalignment).subarray(misalignment);
          unshuffle(shuffled, width, target);
          expect(target).toEqual(bytes);
        },
      ),
      RUNS,
    );
  });
});

describe('the Fletcher checksum', () => {
  it('agrees, modulo 65535, with sums that are reduced at every step', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
        let low = 0;
        let high = 0;
        for (let i = 0; i < bytes.length; i += 2) {
          low = (low + bytes[i] * 256 + (bytes[i + 1] ?? 0)) % 65535;
          high = (high + low) % 65535;
        }
        const checksum = fletcher32(bytes);
        expect((checksum & 0xffff) % 65535).toBe(low);
        expect((checksum >>> 16) % 65535).toBe(high);
      }),
      RUNS,
    );
  });

  it('exchanges the bytes of each half for old files', () => {
    expect(exchangedFletcher32(0x12345678)).toBe(0x34127856);
  });
});

describe('a pipeline of filters', () => {
  const filters = [
    { id: 2, name: 'shuffle', parameters: [4] },
    { id: 1, name: 'gzip', parameters: [4] },
    { id: 3, name: 'fletcher32', parameters: [] },
  ];
  const content = Uint8Array.from({ length: 64 }, (_, i) => i % 5);
  const shuffled = Uint8Array.from({ length: 64 }, (_, at) => content[(at % 16) * 4 + Math.floor(at / 16)]);
  const withChecksum = (bytes: Uint8Array): Uint8Array => {
    const stored = new Uint8Array(bytes.length + 4);
    stored.set(bytes);
    new DataView(stored.buffer).setUint32(bytes.length, fletcher32(bytes), true);
    return stored;
  };
  const decoder = new ChunkDecoder(filters, 4, 64, 'F', 'X/data');
  const decoded = (stored: Uint8Array, mask: number): Uint8Array => {
    const target = new Uint8Array(64);
    decoder.decode(stored, mask, 3, target);
    return target;
  };

  it('is undone from the last step to the first, without those that the mask names', () => {
    expect(decoded(withChecksum(deflateSync(shuffled)), 0)).toEqual(content);
    expect(decoded(withChecksum(deflateSync(content)), 1)).toEqual(content);
    expect(decoded(withChecksum(shuffled), 2)).toEqual(content);
    expect(decoded(withChecksum(content), 3)).toEqual(content);
    expect(decoded(deflateSync(shuffled), 4)).toEqual(content);
    expect(decoded(content, 7)).toEqual(content);
  });

  it('names file, dataset and chunk when something is wrong', () => {
    const stored = withChecksum(deflateSync(shuffled));
    stored[5] ^= 1;
    expect(() => decoded(stored, 0)).toThrow('F is damaged: chunk 3 of X/data does not match its checksum');
    expect(() => decoded(content.subarray(1), 7)).toThrow('chunk 3 of X/data has 63 bytes instead of 64');
    expect(() => decoded(content.subarray(0, 3), 3)).toThrow('chunk 3 of X/data is too short for its checksum');
    expect(() => decoded(content.subarray(0, 3), 6)).toThrow(
      'chunk 3 of X/data has 3 bytes to unshuffle instead of 64',
    );
  });
});
