import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CorruptDataError } from '../errors/index.js';
import { KernelHeap, loadRows } from '../kernels/index.js';
import { CountHistogram } from './count-histogram.js';
import { CountLogTable, CountTerms } from './count-terms.js';

/** One gene per column; a cell per row, all counts positive. */
const histogramOf = (counts: readonly number[], nGenes = 1, gene = 0): CountHistogram => {
  const heap = KernelHeap.create();
  const histogram = new CountHistogram(nGenes);
  histogram.addRows(
    loadRows(heap, { indptr: counts.map((_, i) => i).concat(counts.length), indices: counts.map(() => gene), counts }),
  );
  return histogram;
};

describe('count histograms', () => {
  it('are the same whether filled at once, in parts or through storage', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 90 })), fc.nat({ max: 20 }), (counts, cut) => {
        const whole = histogramOf(counts, 3, 1);
        const parts = histogramOf(counts.slice(cut), 3, 1);
        parts.merge(CountHistogram.fromArrays(histogramOf(counts.slice(0, cut), 3, 1).toArrays()));
        expect(parts.toArrays()).toEqual(whole.toArrays());
      }),
      { seed: 7, numRuns: 50 },
    );
  });

  it('refuse stored arrays that do not fit', () => {
    const arrays = { nGenes: 2, dense: new Uint32Array(64), overflow: new Uint32Array(0) };
    expect(() => CountHistogram.fromArrays(arrays)).toThrow(CorruptDataError);
  });
});

describe('count terms', () => {
  it('equal the sums over single counts, and their derivatives, from α = 1e-8 to 50 and counts to 5000', () => {
    const counts = fc.array(
      fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 80 }), fc.integer({ min: 65, max: 5000 })),
      { minLength: 1, maxLength: 6 },
    );
    const logAlpha = fc.double({ min: Math.log(1e-8), max: Math.log(50), noNaN: true });
    fc.assert(
      fc.property(counts, logAlpha, (ys, x) => {
        const terms = new CountTerms(histogramOf(ys), 0);
        const slopes = terms.slopes(x);
        const alpha = Math.exp(x);
        let [value, first, second] = [0, 0, 0];
        for (const y of ys) {
          for (let l = 1; l < y; l++) {
            value += Math.log1p(alpha * l);
            first += (alpha * l) / (1 + alpha * l);
            second += (alpha * l) / (1 + alpha * l) ** 2;
          }
        }
        const total = ys.reduce((a, b) => a + b, 0);
        expect(Math.abs(terms.value(x) - value)).toBeLessThan(1e-13 * total + 1e-13 * value);
        const [tabled] = terms.values(new CountLogTable(Float64Array.of(x)));
        expect(Math.abs(tabled - value)).toBeLessThan(1e-13 * total + 1e-13 * value);
        expect(Math.abs(slopes.first - first)).toBeLessThan(1e-13 * total);
        // The second derivative only steers Newton's steps.
        expect(Math.abs(slopes.second - second)).toBeLessThan(1e-6 * (total + second));
      }),
      { seed: 11, numRuns: 200 },
    );
  });

  it('vanish for genes without a count beyond 1', () => {
    const terms = new CountTerms(histogramOf([1, 1, 1]), 0);
    expect([terms.value(0), terms.slopes(0)]).toEqual([0, { first: 0, second: 0 }]);
    expect(new CountTerms(new CountHistogram(1), 0).value(1)).toBe(0);
  });
});
