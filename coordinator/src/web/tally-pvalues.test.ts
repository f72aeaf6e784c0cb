import { describe, expect, it } from 'vitest';
import { PvalueTally } from './tally-pvalues.js';

const calibrationOf = (pvalues: readonly number[]) => {
  const tally = new PvalueTally();
  for (const pvalue of pvalues) tally.add(pvalue, Math.log10(pvalue));
  return tally.finish();
};

/** The quantiles of the uniform distribution at the middle of n equal parts. */
const uniform = (n: number): number[] => Array.from({ length: n }, (_, i) => (i + 0.5) / n);

describe('a tally of p-values', () => {
  it('of the uniform distribution is flat, on the diagonal and not inflated', () => {
    const { histogram, quantiles, inflation, tested } = calibrationOf(uniform(20_000));
    expect(tested).toBe(20_000);
    expect(new Set(histogram)).toEqual(new Set([1000]));
    expect(inflation).toBeCloseTo(1, 2);
    // A bin is a hundredth of a decade; among the smallest p-values the middle rank says less of the middle of a bin.
    for (const [expected, observed] of quantiles.filter(([each]) => each < 2))
      expect(Math.abs(expected - observed)).toBeLessThan(0.01);
  });

  it('has the inflation of χ² that is twice what it should be', () => {
    // R: pchisq(2 * qchisq(0.5, 1), 1, lower.tail = FALSE) is 0.3401.
    const { inflation } = calibrationOf(uniform(20_000).map((p) => Math.min(1, p * 2 * 0.3401)));
    expect(inflation).toBeCloseTo(2, 1);
  });

  it('passes over what was not tested and keeps apart what is 0 as a double', () => {
    const tally = new PvalueTally();
    tally.add(Number.NaN, Number.NaN);
    tally.add(0, -400);
    tally.add(0, -900);
    tally.add(1, 0);
    const { tested, histogram, quantiles } = tally.finish();
    expect([tested, histogram[0], histogram.at(-1)]).toEqual([3, 2, 1]);
    expect(quantiles.map(([, observed]) => Math.floor(observed))).toEqual([0, 400, 900]);
  });

  it('of nothing has no inflation', () => {
    expect(calibrationOf([])).toMatchObject({ tested: 0, quantiles: [], inflation: null });
  });
});
