import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CsrBlock } from '@shardex/shared/matrix';
import { ScaleJudge, type ScaleVerdict } from './judge-scale.js';
import { sampleWindows } from './sample-matrix.js';

/** Dense rows as a block of float32 values, explicit zeros removed. */
function blockOf(rows: readonly (readonly number[])[]): CsrBlock {
  const indptr = [0];
  const indices: number[] = [];
  const values: number[] = [];
  for (const row of rows) {
    row.forEach((value, column) => {
      if (value === 0) return;
      indices.push(column);
      values.push(value);
    });
    indptr.push(values.length);
  }
  return {
    rowBegin: 0,
    nRows: rows.length,
    indptr: Uint32Array.from(indptr),
    indices: Uint32Array.from(indices),
    values: Float32Array.from(values),
  };
}

function judge(rows: readonly (readonly number[])[]): ScaleVerdict {
  const scaleJudge = new ScaleJudge();
  scaleJudge.addBlock(blockOf(rows));
  return scaleJudge.verdict();
}

/** Rows of a few small counts, each with at least one single count, and totals that differ. */
const countRows = fc
  .array(fc.array(fc.nat(30), { minLength: 20, maxLength: 40 }), { minLength: 8, maxLength: 20 })
  .map((rows) => rows.map((row, index) => [1, 2, index, ...row]));
const scaled = (row: readonly number[], total = 10_000): number[] => {
  const sum = row.reduce((left, right) => left + right, 0);
  return row.map((value) => (value * total) / sum);
};
const check = (
  transform: (row: readonly number[]) => number[],
  expected: ScaleVerdict['scale'],
  reason: RegExp,
): void =>
  fc.assert(
    fc.property(countRows, (rows) => {
      const verdict = judge(rows.map(transform));
      expect(verdict.scale).toBe(expected);
      expect(verdict.reason).toMatch(reason);
    }),
    { seed: 7, numRuns: 60 },
  );

describe('the scale of a matrix', () => {
  it('is counts for non-negative integers', () => {
    check((row) => [...row], 'counts', /^non-negative integers, largest \d+$/);
  });

  it('is log1p for the logarithm of counts per 10,000', () => {
    check((row) => scaled(row).map(Math.log1p), 'log1p', /^log\(1 \+ counts scaled to (1\.000e\+?4|10000) a cell\)$/);
  });

  it('is log1p also when genes were left out afterwards', () => {
    check((row) => scaled(row).map(Math.log1p).slice(0, -6), 'log1p', /genes were probably left out$/);
  });

  it('is other, and says why, for normalised values without a logarithm or with another one', () => {
    check((row) => scaled(row), 'other', /without a logarithm$/);
    check((row) => scaled(row).map((value) => Math.log2(1 + value)), 'other', /^log2/);
  });

  it('is other for negative values, NaN, and fractions of no origin', () => {
    expect(judge([[1.5, -0.25]])).toMatchObject({ scale: 'other', negativeValues: 1 });
    expect(judge([[1, Number.NaN, Number.POSITIVE_INFINITY]])).toMatchObject({ scale: 'other', notFiniteValues: 2 });
    expect(
      judge([
        [0.31, 1.77, 2.9],
        [0.9, 1.31, 3.3],
      ]),
    ).toMatchObject({
      scale: 'other',
      reason: 'fractions of no recognised origin, largest 3.3',
    });
  });

  it('is empty where nothing was sampled, and counts empty cells', () => {
    expect(judge([])).toMatchObject({ scale: 'empty', sampledRows: 0 });
    expect(
      judge([
        [0, 0],
        [0, 3],
      ]),
    ).toMatchObject({ scale: 'counts', sampledRows: 2, emptyRows: 1, largest: 3 });
  });
});

describe('the rows that are sampled', () => {
  it('are all rows of a small matrix and evenly spread windows of a large one', () => {
    expect(sampleWindows(0)).toEqual([]);
    expect(sampleWindows(512)).toEqual([[0, 512]]);
    const windows = sampleWindows(1_000_000);
    expect(windows).toHaveLength(8);
    expect(windows[0]).toEqual([0, 64]);
    expect(windows[7]).toEqual([999_936, 1_000_000]);
    for (let at = 1; at < windows.length; at++) expect(windows[at][0]).toBeGreaterThanOrEqual(windows[at - 1][1]);
  });
});
