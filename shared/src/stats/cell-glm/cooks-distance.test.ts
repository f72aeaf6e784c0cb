import { describe, expect, it } from 'vitest';
import { cooksCutoff, trimmedVariance } from './cooks-distance.js';

describe("the cutoff of Cook's distances", () => {
  it.each([
    [2, 22, 5.848931924611135],
    [2, 1800, 4.616985453598783],
    [4, 2248, 3.32752825524954],
    [12, 20_012, 2.1856331626484646],
  ])("is scipy's F quantile for %i coefficients and %i cells", (p, n, quantile) => {
    expect(Math.abs(cooksCutoff(p, n) / quantile - 1)).toBeLessThan(4e-8);
  });

  it('is not there without residual degrees of freedom', () => {
    expect(cooksCutoff(4, 4)).toBeNaN();
  });
});

describe('the trimmed variance', () => {
  it.each([3, 10, 40])('of %i values equals its definition on the values with their zeros', (n) => {
    const values = [0.5, 7, 2].concat(n > 3 ? [1, 1, 0.01] : []);
    const all = [...values, ...new Array<number>(n - values.length).fill(0)];
    const [share, scale] = n === 3 ? [1 / 3, 2.04] : n === 10 ? [1 / 4, 1.86] : [1 / 8, 1.51];
    const trimmed = (numbers: readonly number[]): number => {
      const cut = Math.floor(n * share);
      const kept = [...numbers].sort((a, b) => a - b).slice(cut, n - cut);
      return kept.reduce((sum, value) => sum + value, 0) / kept.length;
    };
    const centre = trimmed(all);
    expect(trimmedVariance(values, n)).toBeCloseTo(scale * trimmed(all.map((value) => (value - centre) ** 2)), 12);
  });
});
