import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CorruptDataError } from '../errors/index.js';
import { KernelHeap, loadRows } from '../kernels/index.js';
import { CountHistogram } from './count-histogram.js';
import { CountSlopeTable } from './count-terms.js';
import { CountTerms } from './count-terms.reference.js';

/** One gene per column; a cell per row, all counts positive. */
const histogramOf = (counts: readonly number[], nGenes = 1, gene = 0): CountHistogram => {
  const heap = KernelHeap.create();
  const histogram = new CountHistogram(nGenes);
  histogram.addRows(
    loadRows(heap, { indptr: counts.map((_, i) => i).concat(counts.length), indices: counts.map(() => gene), counts }),
  );
  return histogram;
};

/** The slopes of gene 0. */
const slopesOf = (histogram: CountHistogram, table: CountSlopeTable): Float64Array => {
  const slopes = new Float64Array(table.logAlphas.length);
  new CountTerms(histogram, 0).addSlopes(table, slopes);
  return slopes;
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
  it('have the slope of sums over single counts, from α = 1e-8 to 5000 and counts to 5000', () => {
    const counts = fc.array(
      fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 80 }), fc.integer({ min: 65, max: 5000 })),
      { minLength: 1, maxLength: 6 },
    );
    const logAlpha = fc.double({ min: Math.log(1e-8), max: Math.log(5000), noNaN: true });
    fc.assert(
      fc.property(counts, logAlpha, (ys, x) => {
        const [slope] = slopesOf(histogramOf(ys), new CountSlopeTable(Float64Array.of(x)));
        const alpha = Math.exp(x);
        let direct = 0;
        for (const y of ys) for (let l = 1; l < y; l++) direct += (alpha * l) / (1 + alpha * l);
        const total = ys.reduce((a, b) => a + b, 0);
        expect(Math.abs(slope - direct)).toBeLessThan(1e-13 * total);
      }),
      { seed: 11, numRuns: 200 },
    );
  });

  it('vanish for genes without a count beyond 1', () => {
    const table = new CountSlopeTable(Float64Array.of(0));
    expect([...slopesOf(histogramOf([1, 1, 1]), table)]).toEqual([0]);
    expect([...slopesOf(new CountHistogram(1), table)]).toEqual([0]);
  });
});
