import { describe, expect, it } from 'vitest';
import { GeneStatus } from './gene-status.js';
import { rankSumTest } from './rank-sum-test.js';

const sums = (u: number, z: number, tieSum: number) => ({
  u: Float64Array.of(u),
  z: Float64Array.of(z),
  tieSums: Float64Array.of(tieSum),
});

describe('the rank-sum test of a gene', () => {
  it('gives the area under the curve and both forms of the p-value', () => {
    const test = rankSumTest(sums(6, 1.959963984540054, 24), 0, 2, 3, 4);
    expect(test.auc).toBe(1);
    expect(test.pValue).toBeCloseTo(0.05, 14);
    expect(test.log10PValue).toBeCloseTo(Math.log10(0.05), 14);
    expect(test.status).toBe(GeneStatus.tested);
  });

  it('reports no evidence where all cells are equal, and says why', () => {
    const constant = { auc: 0.5, z: 0, pValue: 1, log10PValue: 0 };
    expect(rankSumTest(sums(3, 0, 120), 0, 2, 3, 0)).toEqual({ ...constant, status: GeneStatus.allZero });
    expect(rankSumTest(sums(3, 0, 120), 0, 2, 3, 5)).toEqual({ ...constant, status: GeneStatus.zeroVariance });
  });

  it('has no result for an empty arm', () => {
    expect(rankSumTest(sums(0, NaN, 0), 0, 0, 3, 1)).toMatchObject({ pValue: NaN, status: GeneStatus.tooFewCells });
  });
});
