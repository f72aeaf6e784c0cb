import { describe, expect, it } from 'vitest';
import type { GroupBlock } from './group-rows.js';
import { runsOfStrata, StratumCounts } from './strata.js';

/** Cells 7, 3, 9, 0 of the file, which express genes 0 and 1; 1; 0; none. */
const block: GroupBlock = {
  rows: {
    nRows: 4,
    indptr: Uint32Array.of(0, 2, 3, 4, 4),
    indices: Uint32Array.of(0, 1, 1, 0),
    counts: Uint32Array.of(4, 1, 2, 3),
  },
  cells: Uint32Array.of(7, 3, 9, 0),
  totals: Float64Array.of(5, 2, 3, 1),
  sizeFactors: new Float64Array(4),
};
const ofCell = Int32Array.of(0, -1, -1, 1, -1, -1, -1, 1, -1, 0);

describe('strata of a block', () => {
  it('are runs of consecutive cells, whose columns are those of the block', () => {
    const runs = [...runsOfStrata(block, { count: 2, ofCell })];
    expect(runs.map(({ stratum, rows }) => [stratum, rows.nRows, [...rows.indptr]])).toEqual([
      [1, 2, [0, 2, 3]],
      [0, 2, [3, 4, 4]],
    ]);
    expect(runs.map(({ totals }) => totals[0])).toEqual([5, 3]);
  });

  it('are one run where there are none, and none where there are no cells', () => {
    const runs = [...runsOfStrata(block, null)];
    expect(runs.map(({ stratum, rows }) => [stratum, rows.nRows])).toEqual([[0, 4]]);
    expect([...runsOfStrata({ ...block, rows: { ...block.rows, nRows: 0 } }, null)]).toEqual([]);
  });

  it('are counted: their cells, and those that express each gene', () => {
    const counts = new StratumCounts({ count: 3, ofCell }, 2);
    counts.add(block);
    counts.add(block);
    expect([...counts.cells]).toEqual([4, 4, 0]);
    expect([...counts.nExpressing]).toEqual([2, 0, 2, 4, 0, 0]);
  });
});
