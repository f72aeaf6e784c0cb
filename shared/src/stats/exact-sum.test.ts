import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exactSumExponent, normalisedSumQuanta } from './exact-sum.js';

describe('sums of quanta', () => {
  it('have the same bits in any order and any grouping, and stay within half a quantum a term', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 200 }),
        fc.integer({ min: 0, max: 200 }),
        (terms, at) => {
          const scale = 2 ** exactSumExponent(terms.reduce((sum, term) => sum + term, 0));
          const add = (values: readonly number[]): number => values.reduce((sum, v) => sum + Math.round(v * scale), 0);
          const whole = add(terms);
          expect(add([...terms].reverse())).toBe(whole);
          expect(add(terms.slice(0, at)) + add(terms.slice(at))).toBe(whole);
          const naive = terms.reduce((sum, term) => sum + term, 0);
          expect(Math.abs(whole / scale - naive)).toBeLessThanOrEqual(terms.length / scale + naive * 1e-13);
        },
      ),
      { seed: 3, numRuns: 300 },
    );
  });

  it('are fine for small genes and never overflow for large ones', () => {
    const [small, large] = normalisedSumQuanta(Float64Array.of(10, 1e12), 0.01);
    expect(small).toBeGreaterThanOrEqual(2 ** 40);
    expect((1e12 / 0.01) * large).toBeLessThan(2 ** 52);
  });
});
