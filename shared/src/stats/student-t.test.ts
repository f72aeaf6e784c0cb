import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GeneStatus } from './gene-status.js';
import { studentT, studentTFromSums } from './student-t.js';
import { welch } from './welch.js';

const sumsOf = (values: readonly number[]) => ({
  sum: values.reduce((sum, x) => sum + x, 0),
  sumSquares: values.reduce((sum, x) => sum + x * x, 0),
  n: values.length,
});

/** mean, standard deviation, n of either arm; t; p. scipy 1.17.1 `ttest_ind_from_stats(…, equal_var=True)`. */
const SCIPY = [
  [0.5, 0.4, 30, 0.45, 0.5, 900, 0.5418725603883321, 0.5880363784208031],
  [2.25, 0.75, 12, 1.5, 1.25, 400, 2.065780723174995, 0.039476945825863835],
  [0.0625, 0.25, 200, 0.125, 0.375, 5000, -2.3362288113417966, 0.019517129487601623],
  [1.0, 0.5, 3, 4.0, 0.25, 2, -7.58946638440411, 0.00474611684291965],
  [3.5, 1.0, 5000, 3.25, 1.5, 100000, 11.656281444451421, 2.2286232134414625e-31],
  [0.1, 0.3, 2, 0.6, 0.2, 2, -1.9611613513818402, 0.1888928943461873],
] as const;

describe("Student's t-test", () => {
  it('equals scipy', () => {
    for (const [m1, s1, n1, m2, s2, n2, t, p] of SCIPY) {
      const test = studentT({ mean: m1, variance: s1 * s1, n: n1 }, { mean: m2, variance: s2 * s2, n: n2 });
      expect(Math.abs(test.t / t - 1)).toBeLessThan(1e-13);
      expect(test.degreesOfFreedom).toBe(n1 + n2 - 2);
      expect(Math.abs(test.pValue / p - 1)).toBeLessThan(2e-12);
      expect(test.log10PValue).toBeCloseTo(Math.log10(p), 11);
      expect(test.status).toBe(GeneStatus.tested);
    }
  });

  it("is Welch's t where both arms have as many cells, with at least its degrees of freedom", () => {
    const variance = fc.double({ min: 0.01, max: 9, noNaN: true });
    const mean = fc.double({ min: -5, max: 5, noNaN: true });
    fc.assert(
      fc.property(mean, mean, variance, variance, fc.integer({ min: 2, max: 500 }), (m1, m2, v1, v2, n) => {
        const [a, b] = [
          { mean: m1, variance: v1, n },
          { mean: m2, variance: v2, n },
        ];
        expect(Math.abs(studentT(a, b).t - welch(a, b).t)).toBeLessThan(1e-12 * (1 + Math.abs(welch(a, b).t)));
        expect(studentT(a, b).degreesOfFreedom).toBeGreaterThanOrEqual(welch(a, b).degreesOfFreedom * (1 - 1e-12));
      }),
      { seed: 61, numRuns: 200 },
    );
  });

  it('tests a single cell against an arm that varies', () => {
    const test = studentTFromSums(sumsOf([5]), sumsOf([1, 2, 3]));
    expect(test).toMatchObject({ degreesOfFreedom: 2, status: GeneStatus.tested });
    expect(test.t).toBeCloseTo(3 / Math.sqrt(4 / 3), 12);
  });

  it('has no result for an empty arm or for two cells', () => {
    for (const [a, b] of [
      [[], [1, 2, 3]],
      [[1, 2, 3], []],
      [[1], [2]],
    ]) {
      const test = studentTFromSums(sumsOf(a), sumsOf(b));
      expect(test).toMatchObject({ t: NaN, degreesOfFreedom: NaN, pValue: NaN, status: GeneStatus.tooFewCells });
    }
  });

  it('says so where neither arm varies', () => {
    expect(studentTFromSums(sumsOf([0, 0]), sumsOf([0]))).toMatchObject({
      t: 0,
      pValue: 1,
      status: GeneStatus.allZero,
    });
    expect(studentTFromSums(sumsOf([2, 2]), sumsOf([2]))).toMatchObject({ t: 0, status: GeneStatus.zeroVariance });
    expect(studentTFromSums(sumsOf([3]), sumsOf([2, 2]))).toMatchObject({ t: Infinity, pValue: 0 });
  });
});
