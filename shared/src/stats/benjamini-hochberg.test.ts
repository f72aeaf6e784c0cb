import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvariantBrokenError } from '../errors/index.js';
import { benjaminiHochberg } from './benjamini-hochberg.js';
import { GlobalBenjaminiHochberg } from './global-benjamini-hochberg.js';
import { sortUnitInterval } from './sort-unit-interval.js';

/** The definition, in quadratic time. */
const naive = (pValues: readonly number[]): number[] => {
  const family = pValues.filter((p) => !Number.isNaN(p));
  const candidates = family.map((p) => {
    const rank = family.filter((other) => other <= p).length;
    return { p, q: p * (family.length / rank) };
  });
  return pValues.map((p) =>
    Number.isNaN(p) ? NaN : Math.min(...candidates.filter((other) => other.p >= p).map((other) => other.q)),
  );
};

const adjusted = (pValues: readonly number[]): number[] => {
  const out = new Float64Array(pValues.length);
  benjaminiHochberg(Float64Array.from(pValues), out);
  return [...out];
};

const pValue = fc.oneof(
  { weight: 4, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 10 }).map((tenths) => tenths / 10) },
  { weight: 1, arbitrary: fc.double({ min: 0, max: 300, noNaN: true }).map((x) => 10 ** -x) },
  { weight: 1, arbitrary: fc.constant(NaN) },
);

describe('Benjamini–Hochberg', () => {
  it('equals the definition for any p-values, ties and NaN included', () => {
    fc.assert(
      fc.property(fc.array(pValue, { maxLength: 80 }), (pValues) => {
        expect(adjusted(pValues)).toEqual(naive(pValues));
      }),
      { seed: 11, numRuns: 500 },
    );
  });

  it('equals statsmodels', () => {
    // statsmodels 0.15.0 multipletests(p, method="fdr_bh")[1]; division by i/m there, multiplication by m/i here: 2 ulp.
    const expected = STATSMODELS.map(([, q]) => q);
    const actual = adjusted(STATSMODELS.map(([p]) => p));
    actual.forEach((q, i) => expect(Math.abs(q - expected[i])).toBeLessThanOrEqual(5e-16 * q));
  });

  it('may write over its input', () => {
    const pValues = Float64Array.of(0.5, NaN, 0.01, 1, 0.01);
    benjaminiHochberg(pValues, pValues);
    expect([...pValues]).toEqual([0.5 * (4 / 3), NaN, 0.02, 1, 0.02]);
  });

  it('accepts families that are empty, all NaN, or a single value', () => {
    expect(adjusted([])).toEqual([]);
    expect(adjusted([NaN, NaN])).toEqual([NaN, NaN]);
    expect(adjusted([0.3])).toEqual([0.3]);
  });

  it('refuses p-values outside [0, 1]', () => {
    for (const p of [1.0000001, -1e-9, Infinity]) expect(() => adjusted([p])).toThrow(InvariantBrokenError);
  });
});

describe('Benjamini–Hochberg of a family in chunks', () => {
  const inChunks = (pValues: Float64Array, chunk: number, passValues?: number): { q: number[]; passes: number } => {
    const family = new GlobalBenjaminiHochberg(passValues);
    const eachChunk = (look: (values: Float64Array) => void): void => {
      for (let i = 0; i < pValues.length; i += chunk) look(pValues.subarray(i, i + chunk));
    };
    eachChunk((values) => family.add(values));
    let passes = 0;
    for (; family.nextPass(); passes++) eachChunk((values) => family.collect(values));
    const q = new Float64Array(pValues.length);
    family.adjustAll(pValues, q);
    expect(family.count).toBe(pValues.filter((p) => !Number.isNaN(p)).length);
    return { q: [...q], passes };
  };

  it('has the same bits as in one piece, whatever the chunks, their order and the passes', () => {
    fc.assert(
      fc.property(
        fc.array(pValue, { maxLength: 200 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 100 }),
        (pValues, chunk, passValues) => {
          const { q } = inChunks(Float64Array.from(pValues).reverse(), chunk, passValues);
          expect(q.reverse()).toEqual(adjusted(pValues));
        },
      ),
      { seed: 12, numRuns: 100 },
    );
  });

  it('has them for a screen of which a part is significant, in one pass or several', () => {
    // Bins of many values, and stretches of bins in which nothing changes.
    const random = fc.sample(fc.double({ min: 0, max: 1, noNaN: true }), { seed: 5, numRuns: 1 })[0];
    const pValues = Float64Array.from({ length: 60_000 }, (_, i) => {
      const uniform = (i * 0.6180339887498949 + random) % 1;
      return i % 7 === 0 ? uniform ** 8 : i % 11 === 0 ? Math.round(uniform * 50) / 50 : uniform;
    });
    const expected = adjusted([...pValues]);
    expect(inChunks(pValues, 7_000)).toEqual({ q: expected, passes: 1 });
    const several = inChunks(pValues, 7_000, 5_000);
    expect(several.q).toEqual(expected);
    expect(several.passes).toBeGreaterThan(1);
  });

  it('needs no pass when nothing can be below 1, or there is nothing', () => {
    expect(inChunks(Float64Array.of(1, NaN, 1), 2)).toEqual({ q: [1, NaN, 1], passes: 0 });
    expect(inChunks(new Float64Array(0), 2)).toEqual({ q: [], passes: 0 });
    expect(inChunks(Float64Array.of(NaN), 2)).toEqual({ q: [NaN], passes: 0 });
  });

  it('gives a p-value that was never added the adjusted value of the next larger one', () => {
    const family = new GlobalBenjaminiHochberg();
    family.add(Float64Array.of(0.01, 0.5));
    while (family.nextPass()) family.collect(Float64Array.of(0.01, 0.5));
    const q = new Float64Array(5);
    family.adjustAll(Float64Array.of(0, 0.005, 0.2, 0.7, 1), q);
    expect([...q]).toEqual([0.02, 0.02, 0.5, 1, 1]);
  });

  it('refuses p-values outside [0, 1], and what comes too early or too late', () => {
    const family = new GlobalBenjaminiHochberg();
    expect(() => family.add(Float64Array.of(1.0000001))).toThrow(InvariantBrokenError);
    expect(() => family.add(Float64Array.of(-1e-9))).toThrow(InvariantBrokenError);
    family.add(Float64Array.of(0.5));
    expect(() => family.adjustAll(Float64Array.of(0.5), new Float64Array(1))).toThrow(InvariantBrokenError);
    while (family.nextPass()) family.collect(Float64Array.of(0.5));
    expect(() => family.add(Float64Array.of(0.5))).toThrow(InvariantBrokenError);
  });
});

describe('the sort of p-values', () => {
  it('equals the general sort for uniform, crowded and tied values', () => {
    fc.assert(
      fc.property(
        fc.array(
          pValue.filter((p) => !Number.isNaN(p)),
          { maxLength: 500 },
        ),
        fc.boolean(),
        (values, crowd) => {
          // Crowding everything into the lowest bucket reaches the branch for long buckets.
          const input = Float64Array.from(values, (p) => (crowd ? p * 1e-9 : p));
          const expected = input.slice().sort();
          sortUnitInterval(input);
          expect(input).toEqual(expected);
        },
      ),
      { seed: 13, numRuns: 200 },
    );
  });
});

const STATSMODELS: readonly (readonly [p: number, q: number])[] = [
  [0.001, 0.01],
  [0.008, 0.060000000000000005],
  [0.039, 0.1575],
  [0.041, 0.1575],
  [0.042, 0.1575],
  [0.06, 0.2],
  [0.074, 0.222],
  [0.205, 0.4757142857142857],
  [0.212, 0.4757142857142857],
  [0.216, 0.4757142857142857],
  [0.222, 0.4757142857142857],
  [0.251, 0.4852941176470589],
  [0.269, 0.4852941176470589],
  [0.275, 0.4852941176470589],
  [0.34, 0.538421052631579],
  [0.341, 0.538421052631579],
  [0.384, 0.5760000000000001],
  [0.569, 0.7747826086956521],
  [0.594, 0.7747826086956521],
  [0.696, 0.8699999999999999],
  [0.762, 0.9144],
  [0.94, 1.0],
  [0.942, 1.0],
  [0.975, 1.0],
  [0.986, 1.0],
  [1e-30, 1.5e-29],
  [1.0, 1.0],
  [0.039, 0.1575],
  [0.5, 0.7142857142857143],
  [0, 0],
];
