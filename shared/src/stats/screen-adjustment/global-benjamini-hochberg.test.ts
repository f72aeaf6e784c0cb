import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvariantBrokenError } from '../../errors/index.js';
import { benjaminiHochberg } from '../benjamini-hochberg.js';
import { GlobalBenjaminiHochberg, type AdjustmentLimits } from './global-benjamini-hochberg.js';
import { MemoryOverflow } from './memory-overflow.reference.js';
import { N_BINS } from './p-value-bins.js';

const adjusted = (pValues: Float64Array): number[] => {
  const out = new Float64Array(pValues.length);
  benjaminiHochberg(pValues, out);
  return [...out];
};

interface Outcome {
  readonly q: number[];
  readonly passes: number;
  readonly isOnFile: boolean;
  /** Bytes that went to files. */
  readonly written: number;
  /** Most bytes that were held at any time. */
  readonly heldBytes: number;
}

/** Adjusts a family in chunks. */
function inChunks(pValues: Float64Array, chunk: number, limits?: AdjustmentLimits): Outcome {
  const overflow = new MemoryOverflow();
  const family = new GlobalBenjaminiHochberg(overflow.open, limits);
  let heldBytes = 0;
  const look = (): void => void (heldBytes = Math.max(heldBytes, family.heldBytes));
  overflow.onAccess = look;
  const eachChunk = (show: (values: Float64Array) => void): void => {
    for (let i = 0; i < pValues.length; i += chunk) show(pValues.subarray(i, i + chunk));
    look();
  };
  eachChunk((values) => family.add(values));
  let passes = 0;
  for (; family.nextPass(); passes++) eachChunk((values) => family.collect(values));
  const q = new Float64Array(pValues.length);
  family.adjustAll(pValues, q);
  const written = pValues.slice();
  family.adjustAll(written, written);
  expect(written).toEqual(q);
  expect(family.count).toBe(pValues.filter((p) => !Number.isNaN(p)).length);
  look();
  const { isOnFile } = family;
  family.close();
  expect([overflow.openFiles, family.heldBytes]).toEqual([0, 0]);
  return { q: [...q], passes, isOnFile, written: overflow.written, heldBytes };
}

const pValue = fc.oneof(
  { weight: 4, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 10 }).map((tenths) => tenths / 10) },
  { weight: 1, arbitrary: fc.double({ min: 0, max: 300, noNaN: true }).map((x) => 10 ** -x) },
  // All in one bin, by any of the bytes in which its p-values differ.
  { weight: 2, arbitrary: fc.double({ min: 0, max: 52, noNaN: true }).map((x) => 0.25 * (1 + 2 ** -x / 5000)) },
  { weight: 1, arbitrary: fc.constant(NaN) },
);

/** Bins of many values, and stretches of bins in which nothing changes; one in seven is of a skewed distribution, some are tied. */
const screen = (size: number): Float64Array =>
  Float64Array.from({ length: size }, (_, i) => {
    const uniform = ((i + 1) * 0.6180339887498949) % 1;
    return i % 7 === 0 ? uniform ** 8 : i % 11 === 0 ? Math.round(uniform * 50) / 50 : uniform;
  });

describe('Benjamini–Hochberg of a family in chunks', () => {
  it('has the same bits as in one piece, whatever the chunks, their order and what fits into memory', () => {
    fc.assert(
      fc.property(
        fc.array(pValue, { maxLength: 200 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 60 }),
        (pValues, chunk, values, steps) => {
          const family = Float64Array.from(pValues);
          const { q } = inChunks(family.slice().reverse(), chunk, { values, steps });
          expect(q.reverse()).toEqual(adjusted(family));
        },
      ),
      { seed: 12, numRuns: 100 },
    );
  });

  it('has them for a screen of which a part is significant, in memory or on files', () => {
    const pValues = screen(60_000);
    const expected = adjusted(pValues);
    expect(inChunks(pValues, 7_000)).toMatchObject({ q: expected, passes: 1, isOnFile: false, written: 0 });
    const several = inChunks(pValues, 7_000, { values: 5_000, steps: 2 ** 20 });
    expect(several).toMatchObject({ q: expected, passes: 1, isOnFile: false });
    expect(several.written).toBeGreaterThan(0);
    const small = inChunks(pValues, 7_000, { values: 5_000, steps: 700 });
    expect(small).toMatchObject({ q: expected, passes: 1, isOnFile: true });
  });

  it('has them where one narrow range has more p-values than fit into memory', () => {
    const crowd = Float64Array.from({ length: 30_000 }, (_, i) => {
      if (i % 3 === 0) return 0.0123;
      const uniform = ((i + 1) * 0.6180339887498949) % 1;
      return i % 3 === 1 ? 0.0123 * (1 + uniform * 1e-5) : 0.0123 * (1 + uniform * 1e-12);
    });
    const pValues = Float64Array.from([...crowd, ...screen(30_000)]);
    const { q, passes } = inChunks(pValues, 7_000, { values: 1_000, steps: 2 ** 20 });
    expect(q).toEqual(adjusted(pValues));
    expect(passes).toBe(1);
  });

  it('holds no more of a larger family, only bins and what the limits allow', () => {
    const limits = { values: 4_000, steps: 500 };
    const buffered = 8 * 2 ** 20;
    const bound = 4 * (N_BINS + 1) + 2 * N_BINS + Math.max(8 * limits.values + 12 * limits.steps, buffered);
    for (const size of [50_000, 200_000]) {
      const pValues = screen(size);
      const { q, heldBytes, isOnFile } = inChunks(pValues, 20_000, limits);
      expect(heldBytes).toBeLessThanOrEqual(bound);
      expect(isOnFile).toBe(true);
      expect(q).toEqual(adjusted(pValues));
    }
  });

  it('needs no pass when nothing can be below 1, or there is nothing', () => {
    const nothing = { passes: 0, isOnFile: false, written: 0 };
    expect(inChunks(Float64Array.of(1, NaN, 1), 2)).toMatchObject({ ...nothing, q: [1, NaN, 1] });
    expect(inChunks(new Float64Array(0), 2)).toMatchObject({ ...nothing, q: [] });
    expect(inChunks(Float64Array.of(NaN), 2)).toMatchObject({ ...nothing, q: [NaN] });
  });

  it('gives a p-value that was never added the adjusted value of the next larger one', () => {
    const family = new GlobalBenjaminiHochberg(new MemoryOverflow().open);
    family.add(Float64Array.of(0.01, 0.5));
    while (family.nextPass()) family.collect(Float64Array.of(0.01, 0.5));
    const q = new Float64Array(5);
    family.adjustAll(Float64Array.of(0, 0.005, 0.2, 0.7, 1), q);
    expect([...q]).toEqual([0.02, 0.02, 0.5, 1, 1]);
  });

  it('gives files back when it is closed before the end', () => {
    const overflow = new MemoryOverflow();
    const family = new GlobalBenjaminiHochberg(overflow.open, { values: 1, steps: 10 });
    family.add(Float64Array.of(0.01, 0.5));
    expect(family.nextPass()).toBe(true);
    expect(overflow.openFiles).toBe(1);
    family.close();
    expect(overflow.openFiles).toBe(0);
  });

  it('refuses p-values outside [0, 1], and what comes too early or too late', () => {
    const family = new GlobalBenjaminiHochberg(new MemoryOverflow().open);
    expect(() => family.add(Float64Array.of(1.0000001))).toThrow(InvariantBrokenError);
    expect(() => family.add(Float64Array.of(-1e-9))).toThrow(InvariantBrokenError);
    family.add(Float64Array.of(0.5));
    expect(() => family.adjustAll(Float64Array.of(0.5), new Float64Array(1))).toThrow(InvariantBrokenError);
    while (family.nextPass()) family.collect(Float64Array.of(0.5));
    expect(() => family.add(Float64Array.of(0.5))).toThrow(InvariantBrokenError);
  });
});
