import { describe, expect, it } from 'vitest';
import { armMoments } from '@shardex/shared/stats';
import { KernelHeap, type GroupMeasures } from '@shardex/shared/kernels';
import type { FrozenStatistics } from './frozen-control.js';
import { measuresWithoutOwn, withoutOwn, type ArmSums } from './reference.js';

/** Sums over cells of one gene each: log, its square, and twice a third column that only has to be carried along. */
const sumsOf = (genes: readonly (readonly number[])[]): ArmSums => ({
  cells: genes[0].length,
  sumCounts: null,
  nExpressing: Uint32Array.from(genes, (values) => values.filter((x) => x > 0).length),
  moments: Float64Array.from(
    genes.flatMap((values) => {
      const sum = values.reduce((total, x) => total + x, 0);
      const squares = values.reduce((total, x) => total + x * x, 0);
      return [sum, squares, sum, sum];
    }),
  ),
});

const poolOf = (sums: ArmSums): FrozenStatistics => ({ ...sums, nb: null, chunks: [] });

describe('a pool without a perturbation', () => {
  it('has the sums of the other cells', () => {
    const [own, others] = [[Array.from({ length: 900 }, (_, i) => Math.log1p((i * 7) % 11))], [[0, 0.1, 2.5, 0, 0.1]]];
    const rest = withoutOwn(poolOf(sumsOf([[...own[0], ...others[0]]])), sumsOf(own));
    const expected = sumsOf(others);
    expect([rest.cells, ...rest.nExpressing]).toEqual([5, 3]);
    // Within the rounding of sums of thousands.
    rest.moments.forEach((sum, i) => expect(Math.abs(sum - expected.moments[i])).toBeLessThan(1e-11));
  });

  it('is all zero where only the perturbation expresses a gene', () => {
    const own = Array.from({ length: 50 }, (_, i) => 0.1 * i);
    // Added in another order, so that the sums differ in their last digits.
    const pool = sumsOf([[0, 0, 0, ...own.toReversed()]]);
    expect([...withoutOwn(poolOf(pool), sumsOf([own])).moments]).toEqual([0, 0, 0, 0]);
  });

  it('has no variance where all other cells have one value', () => {
    const own = Array.from({ length: 400 }, (_, i) => Math.sqrt(i));
    const rest = withoutOwn(poolOf(sumsOf([[...own.toReversed(), 0.3, 0.3, 0.3]])), sumsOf([own]));
    expect(armMoments({ sum: rest.moments[0], sumSquares: rest.moments[1], n: rest.cells }).variance).toBe(0);
    const varied = withoutOwn(poolOf(sumsOf([[...own, 0.3, 0.3, 0.31]])), sumsOf([own]));
    expect(armMoments({ sum: varied.moments[0], sumSquares: varied.moments[1], n: varied.cells }).variance).toBeCloseTo(
      1e-4 / 3,
      9,
    );
  });

  it('has measures of the other cells, and none at all of a gene that they do not count', () => {
    const heap = KernelHeap.create(2 ** 21);
    const measures = (sums: number[], cells: number[], sumCounts: number[], nCells: number): GroupMeasures => ({
      nGenes: 2,
      nNodes: 2,
      nCells,
      S: heap.copyF64(sums),
      N: heap.copyF64(cells),
      sumCounts: heap.copyF64(sumCounts),
    });
    const pool = measures([5.5, 3.5, 0.3, 0.1 + 0.2], [6.25, 4.75], [9, 1], 11);
    const own = measures([1.5, 0.5, 0.3, 0.3], [2.25, 1.75], [2, 1], 4);
    const [ofPool, ofOwn] = [Float64Array.of(9, 8, 7, 6), Float64Array.of(1, 2, 3, 4)];
    const rest = measuresWithoutOwn(heap, { measures: pool, squares: ofPool }, { measures: own, squares: ofOwn });
    expect([rest.measures.nGenes, rest.measures.nNodes, rest.measures.nCells]).toEqual([2, 2, 7]);
    expect([...rest.measures.S, ...rest.measures.N]).toEqual([4, 3, 0, 0, 4, 3]);
    expect([...rest.measures.sumCounts]).toEqual([7, 0]);
    expect([...(rest.squares ?? [])]).toEqual([8, 6, 0, 0]);
    expect(measuresWithoutOwn(heap, { measures: pool, squares: null }, { measures: own, squares: null }).squares).toBe(
      null,
    );
  });
});
