import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvariantBrokenError } from '../errors/index.js';
import { benjaminiHochberg } from './benjamini-hochberg.js';
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
