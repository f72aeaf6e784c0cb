import { describe, expect, it } from 'vitest';
import { AdjustedBlocks } from './adjusted-blocks.js';
import type { FitBlock } from './fit-outputs.js';

const blocks = Array.from({ length: 40 }, (_, i): FitBlock => ({
  name: 'fit',
  shrunkName: null,
  rowBegin: i,
  rowEnd: i + 1,
  outputRow: i,
}));
const pValuesOf = ({ rowBegin }: FitBlock): Float64Array => Float64Array.of(rowBegin / 100, rowBegin / 200);

/** Adjusts the blocks that are asked for, by doubling. */
async function adjusted(isOnFile: boolean, wanted: readonly FitBlock[]): Promise<{ q: number[][]; calls: number }> {
  let calls = 0;
  const adjustment = {
    isOnFile,
    adjustAll: (pValues: Float64Array, out: Float64Array): void => {
      calls++;
      out.set(pValues.map((p) => 2 * p));
    },
  };
  const adjustedBlocks = new AdjustedBlocks(blocks, 2, adjustment, (block) => Promise.resolve(pValuesOf(block)));
  const q: number[][] = [];
  for (const block of wanted) q.push([...(await adjustedBlocks.of(block, pValuesOf(block)))]);
  return { q, calls };
}

describe('adjusted blocks', () => {
  const expected = blocks.map((block) => [...pValuesOf(block).map((p) => 2 * p)]);

  it('are adjusted one by one in memory, many at a time where every call reads a file', async () => {
    expect(await adjusted(false, blocks)).toEqual({ q: expected, calls: 40 });
    expect(await adjusted(true, blocks)).toEqual({ q: expected, calls: 3 });
  });

  it('are right in another order too', async () => {
    const { q } = await adjusted(true, [...blocks].reverse());
    expect(q).toEqual([...expected].reverse());
  });
});
