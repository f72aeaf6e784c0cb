import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { armMoments } from './arm-moments.js';
import { GeneStatus } from './gene-status.js';
import { logFoldChange } from './log-fold-change.js';
import { welch, welchFromSums } from './welch.js';

const sumsOf = (values: readonly number[]) => ({
  sum: values.reduce((sum, x) => sum + x, 0),
  sumSquares: values.reduce((sum, x) => sum + x * x, 0),
  n: values.length,
});

describe("Welch's t-test", () => {
  it('equals scipy', () => {
    // scipy 1.17.1 ttest_ind_from_stats(mean1, std1, nobs1, mean2, std2, nobs2, equal_var=False); df by its formula.
    for (const [m1, s1, n1, m2, s2, n2, t, df, p] of SCIPY) {
      const test = welch({ mean: m1, variance: s1 * s1, n: n1 }, { mean: m2, variance: s2 * s2, n: n2 });
      expect(Math.abs(test.t / t - 1)).toBeLessThan(1e-13);
      expect(Math.abs(test.degreesOfFreedom / df - 1)).toBeLessThan(1e-13);
      expect(Math.abs(test.pValue / p - 1)).toBeLessThan(2e-12);
      expect(test.status).toBe(GeneStatus.tested);
    }
  });

  it('has no result for arms of fewer than two cells', () => {
    const test = welchFromSums({ sum: 1, sumSquares: 1, n: 1 }, sumsOf([1, 2, 3]));
    expect(test).toMatchObject({ meanDifference: -1, t: NaN, pValue: NaN, status: GeneStatus.tooFewCells });
    expect(welchFromSums({ sum: 0, sumSquares: 0, n: 0 }, sumsOf([1, 2])).status).toBe(GeneStatus.tooFewCells);
  });

  it('says so where neither arm varies', () => {
    const empty = welchFromSums(sumsOf([0, 0, 0]), sumsOf([0, 0]));
    expect(empty).toMatchObject({ t: 0, pValue: 1, log10PValue: 0, status: GeneStatus.allZero });
    const equal = welchFromSums(sumsOf([0.1, 0.1, 0.1]), sumsOf(new Array<number>(10).fill(0.1)));
    expect(equal).toMatchObject({ meanDifference: 0, t: 0, pValue: 1, status: GeneStatus.zeroVariance });
    const apart = welchFromSums(sumsOf([0.1, 0.1, 0.1]), sumsOf([0.7, 0.7]));
    expect(apart).toMatchObject({ t: -Infinity, pValue: 0, log10PValue: -Infinity, status: GeneStatus.zeroVariance });
  });

  it('tests a varying arm against a constant one', () => {
    const test = welchFromSums(sumsOf([0, 0, 0, 0]), sumsOf([1, 2, 3]));
    expect(test.degreesOfFreedom).toBeCloseTo(2, 12);
    expect(test.t).toBeCloseTo(-2 / Math.sqrt(1 / 3), 12);
  });

  it('changes sign when the arms change places', () => {
    const values = fc.array(fc.double({ min: 0, max: 9, noNaN: true }), { minLength: 2, maxLength: 20 });
    fc.assert(
      fc.property(values, values, (a, b) => {
        const forward = welchFromSums(sumsOf(a), sumsOf(b));
        const backward = welchFromSums(sumsOf(b), sumsOf(a));
        expect(forward.t + backward.t || 0).toBe(0);
        expect(forward.pValue).toBe(backward.pValue);
      }),
      { seed: 51, numRuns: 200 },
    );
  });
});

describe('moments of an arm', () => {
  it('equal the two-pass variance within the stated error', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 10, noNaN: true }), { minLength: 2, maxLength: 200 }), (values) => {
        const sums = sumsOf(values);
        const { mean, variance } = armMoments(sums);
        const spread = values.reduce((sum, x) => sum + (x - mean) ** 2, 0);
        const bound = (values.length + 4) * 2 ** -52 * sums.sumSquares;
        expect(Math.abs(variance * (values.length - 1) - spread)).toBeLessThanOrEqual(2 * bound);
      }),
      { seed: 52, numRuns: 300 },
    );
  });
});

describe('log fold changes', () => {
  it('are 0 for two empty arms and finite for one', () => {
    expect(logFoldChange(0, 0)).toBe(0);
    expect(logFoldChange(4, 2)).toBeCloseTo(1, 8);
    expect(logFoldChange(0, 1)).toBeCloseTo(-29.9, 1);
  });
});

const SCIPY: readonly (readonly number[])[] = [
  [0.5, 0.2, 30, 0.4, 0.3, 400, 2.5332019855244936, 39.53150097293343, 0.015376843543884045],
  [1.2, 0.9, 2, 0.1, 0.2, 2, 1.6873229754642147, 1.0985251634483806, 0.3237007913089652],
  [0.01, 0.1, 250, 0.02, 0.11, 8000, -1.5520673239323957, 268.1747056842846, 0.1218254217833967],
  [2.0, 0.5, 300, 1.0, 0.45, 12000, 34.29551440433253, 311.2289284749462, 9.7455370575392e-108],
  [0.3, 0.31, 1000, 0.3001, 0.3, 1000, -0.007330385482120615, 1995.855648128866, 0.9941519835711699],
  [1.5, 0.4, 25, 0.2, 0.4, 5000, 16.209526711749035, 24.240597090546455, 1.6362498580766925e-14],
];
