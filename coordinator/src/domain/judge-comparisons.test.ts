import type { CellDesign } from '@shardex/shared/artifacts';
import { describe, expect, it } from 'vitest';
import { judgeComparisons } from './judge-comparisons.js';

const column = (name: string, nLevels: number) => ({ name, levels: Array.from({ length: nLevels }, (_, l) => `${l}`) });
const design = (columns: readonly string[], strata: readonly (readonly number[])[]): CellDesign => ({
  categorical: columns.map((name, c) => column(name, 1 + Math.max(...strata.map((levels) => levels[c])))),
  strata,
  continuous: [],
  batch: null,
});
const judge = (of: CellDesign, cells: readonly (readonly number[])[]): readonly string[] =>
  judgeComparisons(of, ['NT', 'A', 'B', 'C'].slice(0, cells.length), Uint32Array.from(cells.flat()));

describe('judgeComparisons', () => {
  const batches = design(['batch'], [[0], [1], [2]]);

  it('is content when every perturbation shares a stratum with the control', () => {
    const cells = [
      [5, 5, 0],
      [1, 0, 4],
      [0, 2, 0],
    ];
    expect(judge(batches, cells)).toEqual([]);
    expect(judgeComparisons(design([], [[]]), ['NT', 'A'], Uint32Array.of(5, 5))).toEqual([]);
  });

  it('names perturbations and the column they are collinear with, and passes over groups without cells', () => {
    const cells = [
      [5, 5, 0],
      [0, 0, 4],
      [3, 1, 0],
      [0, 0, 0],
    ];
    expect(judge(batches, cells)).toEqual([
      'perturbation A: collinear with "batch", so the NB-GLM has no answer (status collinear-design)',
    ]);
  });

  it('refuses when nothing can be compared', () => {
    const cells = [
      [5, 0, 0],
      [0, 5, 0],
      [0, 0, 5],
    ];
    expect(() => judge(batches, cells)).toThrow('every perturbation is collinear with "batch"');
  });

  it('says where levels of two columns are one in a comparison', () => {
    const lanes = design(
      ['donor', 'lane'],
      [
        [0, 0],
        [1, 1],
        [2, 1],
        [0, 1],
      ],
    );
    const cells = [
      [5, 5, 5, 0],
      [2, 2, 2, 0],
      [2, 2, 2, 2],
    ];
    expect(judge(lanes, cells)).toEqual([
      'among the cells of A and the control, some levels of "lane" cannot be told from other covariates and have no ' +
        'coefficient of their own; the fold change is the same',
    ]);
  });
});
