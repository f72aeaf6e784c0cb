import { describe, expect, it } from 'vitest';
import { momentDispersions } from './moment-dispersions.js';

/** One gene a row of counts; the sums that the estimator takes. */
const estimate = (counts: readonly (readonly number[])[], sizeFactors: readonly number[]): number[] => {
  const q = counts.map((gene) => gene.map((y, cell) => y / sizeFactors[cell]));
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  return [
    ...momentDispersions({
      nCells: sizeFactors.length,
      sums: q.map(sum),
      sumsOfSquares: q.map((values) => sum(values.map((value) => value * value))),
      inverseSizeFactors: sum(sizeFactors.map((s) => 1 / s)),
    }),
  ];
};

describe('dispersions by moments', () => {
  it('follow from mean and variance of normalised counts', () => {
    // q = 2, 0, 8, 2: mean 3, variance 12; mean of 1/s = 1.25; (12 − 1.25 · 3)/9.
    expect(estimate([[1, 0, 8, 4]], [0.5, 1, 1, 2])[0]).toBeCloseTo((12 - ((2 + 1 + 1 + 0.5) / 4) * 3) / 9, 12);
  });

  it('are at least 1e-8, and say nothing of a gene without counts or of a single cell', () => {
    expect(
      estimate(
        [
          [3, 3, 3],
          [0, 0, 0],
        ],
        [1, 1, 1],
      ),
    ).toEqual([1e-8, NaN]);
    expect(estimate([[3]], [1])).toEqual([NaN]);
  });
});
