import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KernelHeap, rankSumAgainstControl, sortColumns, tieTerms } from '../kernels/index.js';
import { GeneStatus } from './gene-status.js';
import { rankSumTest } from './rank-sum-test.js';
import { StratifiedRankSums, type Stratum, type StratifiedRankSumOptions } from './van-elteren.js';

const heap = KernelHeap.create(32 * 2 ** 20);

/** One stratum of one gene and one group. */
interface Cells {
  readonly group: readonly number[];
  readonly control: readonly number[];
}

const nonzeros = (values: readonly number[]): number[] => values.filter((value) => value !== 0);

/** Rank sums within the stratum by the kernel that a screen uses, and that stratum's own z. */
const rankStratum = ({ group, control }: Cells, tieCorrect = true): Stratum & { readonly z: number } =>
  heap.scoped(() => {
    const keys = heap.copyF64(nonzeros(control));
    const offsets = heap.copyU32([0, keys.length]);
    const ties = heap.f64(1);
    sortColumns(heap, keys, offsets);
    tieTerms(heap, keys, offsets, ties);
    const own = nonzeros(group);
    const groups = { keys: heap.copyF64(own), offsets: heap.copyU32([0, own.length]), sizes: [group.length] };
    const sorted = { keys, offsets, ties, nCells: control.length };
    const { u, tieSums, z } = rankSumAgainstControl(heap, sorted, groups, { tieCorrect, continuity: false });
    const sums = { u: u.slice(), tieSums: tieSums.slice() };
    return { sums, groupSizes: [group.length], otherSizes: [control.length], z: z[0] };
  });

const stratified = (strata: readonly Cells[], options: StratifiedRankSumOptions) => {
  const sums = new StratifiedRankSums(1, 1, options);
  for (const stratum of strata) sums.add(rankStratum(stratum));
  const informative = strata.filter(({ group, control }) => group.length > 0 && control.length > 0);
  return sums.test(
    0,
    0,
    informative.reduce((sum, s) => sum + nonzeros([...s.group, ...s.control]).length, 0),
  );
};

/** The same from its definition: a score w·midrank for every cell, and the permutation variance of their sum over the group. */
const direct = (strata: readonly Cells[], { weights, tieCorrect }: StratifiedRankSumOptions): number => {
  let difference = 0;
  let variance = 0;
  for (const { group, control } of strata) {
    const all = [...group, ...control];
    const total = all.length;
    const weight = weights === 'unit' ? 1 : 1 / (total + 1);
    const scores = all.map((x) => {
      const below = all.filter((y) => y < x).length;
      const equal = all.filter((y) => y === x).length;
      return weight * (below + (equal + 1) / 2);
    });
    const mean = scores.reduce((sum, score) => sum + score, 0) / total;
    const squares = tieCorrect
      ? scores.reduce((sum, score) => sum + (score - mean) ** 2, 0)
      : weight ** 2 * all.reduce((sum, _x, i) => sum + (i + 1 - (total + 1) / 2) ** 2, 0);
    difference += scores.slice(0, group.length).reduce((sum, score) => sum + score - mean, 0);
    variance += ((group.length * control.length) / (total * (total - 1))) * squares;
  }
  return difference / Math.sqrt(variance);
};

const value = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 3 }) },
  { weight: 1, arbitrary: fc.double({ min: 0.01, max: 9, noNaN: true }) },
);
const arm = fc.array(value, { minLength: 1, maxLength: 15 });
const strataOf = fc.array(fc.record({ group: arm, control: arm }), { minLength: 1, maxLength: 5 });
const optionsOf = fc.record({
  weights: fc.constantFrom('van-elteren' as const, 'unit' as const),
  tieCorrect: fc.boolean(),
});
const varies = ({ group, control }: Cells): boolean => new Set([...group, ...control]).size > 1;

describe('the stratified rank-sum test', () => {
  it('is the weighted sum of midranks within strata over its permutation standard deviation', () => {
    fc.assert(
      fc.property(strataOf, optionsOf, (strata, options) => {
        fc.pre(strata.some(varies));
        const { z, status, pValue } = stratified(strata, options);
        expect(Math.abs(z - direct(strata, options))).toBeLessThan(1e-10);
        expect(status).toBe(GeneStatus.tested);
        expect(pValue).toBeGreaterThan(0);
      }),
      { seed: 51, numRuns: 400 },
    );
  });

  it('is the plain test when there is one stratum, whatever the weights', () => {
    fc.assert(
      fc.property(arm, arm, optionsOf, (group, control, options) => {
        const { sums, z } = rankStratum({ group, control }, options.tieCorrect);
        const expressing = nonzeros([...group, ...control]).length;
        const plain = rankSumTest({ ...sums, z: Float64Array.of(z) }, 0, group.length, control.length, expressing);
        const test = stratified([{ group, control }], options);
        expect(test.z).toBeCloseTo(plain.z, 10);
        expect(test.auc).toBeCloseTo(plain.auc, 12);
        expect(test.status).toBe(plain.status);
      }),
      { seed: 52, numRuns: 200 },
    );
  });

  it('equals coin', () => {
    // R 4.2.2, coin 1.4-2: independence_test(y ~ g | s, ytrafo = f, teststat = "scalar"), f giving the ranks within the block
    // (rank_trafo with block = s), for van Elteren divided by the block's number of cells plus one.
    const strata = [
      { group: [0, 2, 3.5], control: [0, 0, 1, 2, 0, 0] },
      { group: [4, 1, 0, 2.5, 6], control: [0, 0, 1, 2, 0, 3, 0, 0.5, 0] },
      { group: [1, 0], control: [0, 0, 2, 0] },
    ];
    const unit = stratified(strata, { weights: 'unit', tieCorrect: true });
    expect(unit.z).toBeCloseTo(2.12990936446896, 13);
    expect(unit.pValue).toBeCloseTo(0.0331790968738583, 13);
    const elteren = stratified(strata, { weights: 'van-elteren', tieCorrect: true });
    expect(elteren.z).toBeCloseTo(2.08549089831876, 13);
    expect(elteren.pValue).toBeCloseTo(0.0370247634843404, 13);
  });

  it('leaves out strata that have only one of the arms', () => {
    const strata = [
      { group: [1, 0, 3], control: [0, 2, 2, 5] },
      { group: [4, 4], control: [0, 1, 0] },
    ];
    const more = [...strata, { group: [], control: [1, 2] }, { group: [7], control: [] }];
    for (const weights of ['van-elteren', 'unit'] as const) {
      const options = { weights, tieCorrect: true };
      expect(stratified(more, options)).toEqual(stratified(strata, options));
    }
  });

  it('gives the strata weights by name', () => {
    // U − nm/2: 1 of a possible 1 in the small stratum, −10 of 50 in the large one.
    const small = { group: [2, 2], control: [1] };
    const large = {
      group: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
      control: [3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 10.5, 11.5, 12.5],
    };
    const unit = stratified([small, large], { weights: 'unit', tieCorrect: true });
    const elteren = stratified([small, large], { weights: 'van-elteren', tieCorrect: true });
    expect(unit.u).toBe(elteren.u);
    expect(unit.auc).toBeCloseTo(unit.u / 102, 12);
    expect(elteren.auc).toBeGreaterThan(unit.auc);
    expect(elteren.z).toBeGreaterThan(unit.z);
  });

  it('says when nothing can be compared: no common stratum, equal values, no count', () => {
    const options = { weights: 'van-elteren', tieCorrect: false } as const;
    const apart = stratified(
      [
        { group: [1], control: [] },
        { group: [], control: [2] },
      ],
      options,
    );
    expect(apart).toMatchObject({ z: NaN, pValue: NaN, auc: NaN, status: GeneStatus.tooFewCells });
    const tied = stratified(
      [
        { group: [2], control: [2, 2] },
        { group: [3, 3], control: [3] },
      ],
      options,
    );
    expect(tied).toMatchObject({ z: 0, pValue: 1, auc: 0.5, status: GeneStatus.zeroVariance });
    const empty = stratified([{ group: [0], control: [0, 0] }], options);
    expect(empty).toMatchObject({ z: 0, pValue: 1, auc: 0.5, status: GeneStatus.allZero });
  });
});
