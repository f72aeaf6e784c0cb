import { describe, expect, it } from 'vitest';
import { GeneStatus } from './gene-status.js';
import { welch } from './welch.js';
import { welchOverestimated, welchOverestimatedFromSums } from './welch-overestimated.js';

/** mean, standard deviation, n of either arm; t; p. scipy 1.17.1 `ttest_ind_from_stats(…, nobs2=nobs1, equal_var=False)`. */
const SCIPY = [
  [0.5, 0.4, 30, 0.45, 0.5, 900, 0.42769946138415066, 0.670529920235541],
  [2.25, 0.75, 12, 1.5, 1.25, 400, 1.7822655773580136, 0.09157170567308319],
  [0.0625, 0.25, 200, 0.125, 0.375, 5000, -1.9611613513818402, 0.0506602567622585],
  [1.0, 0.5, 3, 4.0, 0.25, 2, -9.2951600308978, 0.0028544180851155457],
  [3.5, 1.0, 5000, 3.25, 1.5, 100000, 9.805806756909202, 1.3908995574854236e-22],
  [0.1, 0.3, 2, 0.6, 0.2, 2, -1.9611613513818402, 0.2073655306752679],
] as const;

describe("Welch's t-test with scanpy's overestimated variance", () => {
  it('equals scipy given the group size for both arms', () => {
    for (const [m1, s1, n1, m2, s2, n2, t, p] of SCIPY) {
      const test = welchOverestimated({ mean: m1, variance: s1 * s1, n: n1 }, { mean: m2, variance: s2 * s2, n: n2 });
      expect(Math.abs(test.t / t - 1)).toBeLessThan(1e-13);
      expect(Math.abs(test.pValue / p - 1)).toBeLessThan(2e-12);
      expect(test.status).toBe(GeneStatus.tested);
    }
  });

  it("is Welch's test where both arms have as many cells, and weaker where the control has more", () => {
    const perturbed = { mean: 1, variance: 0.5, n: 20 };
    const same = { mean: 0.5, variance: 0.25, n: 20 };
    expect(welchOverestimated(perturbed, same)).toEqual(welch(perturbed, same));
    const control = { ...same, n: 2000 };
    expect(welchOverestimated(perturbed, control).pValue).toBeGreaterThan(welch(perturbed, control).pValue);
  });

  it('has no result for arms of fewer than two cells', () => {
    const cells = { sum: 6, sumSquares: 14, n: 3 };
    const one = { sum: 1, sumSquares: 1, n: 1 };
    expect(welchOverestimatedFromSums(one, cells).status).toBe(GeneStatus.tooFewCells);
    expect(welchOverestimatedFromSums(cells, one).status).toBe(GeneStatus.tooFewCells);
  });
});
