import { describe, expect, it } from 'vitest';
import { bonferroni, countTests } from './bonferroni.js';

describe('the Bonferroni adjustment', () => {
  it('multiplies by the number of p-values that are not NaN, up to 1', () => {
    const p = Float64Array.of(0.01, NaN, 0.2, 0.5, 0, NaN);
    const out = new Float64Array(6);
    expect(bonferroni(p, out)).toBe(4);
    expect([...out]).toEqual([0.04, NaN, 0.8, 1, 0, NaN]);
    expect(countTests(p)).toBe(4);
  });

  it('takes the number of tests of a larger family, and may write over its input', () => {
    const p = Float64Array.of(2 ** -20, 0.5);
    expect(bonferroni(p, p, 1024)).toBe(1024);
    expect([...p]).toEqual([2 ** -10, 1]);
  });

  it('refuses what is no p-value', () => {
    expect(() => bonferroni(Float64Array.of(1.5), new Float64Array(1))).toThrow('outside [0, 1]');
    expect(() => bonferroni(Float64Array.of(-1), new Float64Array(1))).toThrow('outside [0, 1]');
  });
});
