import { describe, expect, it } from 'vitest';
import { resolveCovariates, type CovariateColumn } from './covariates.js';

type Labels = Extract<CovariateColumn, { kind: 'labels' }>;

const labels = (name: string, values: readonly (string | null)[], order?: readonly string[]): Labels => {
  const known = order ?? [...new Set(values.filter((value) => value !== null))];
  return {
    kind: 'labels',
    name,
    codes: Int32Array.from(values, (value) => (value === null ? -1 : known.indexOf(value))),
    labels: known,
    isOrdered: order !== undefined,
  };
};
const numbers = (name: string, values: readonly number[]): CovariateColumn => ({
  kind: 'numbers',
  name,
  values: Float64Array.from(values),
});
const resolve = (group: readonly number[], covariates: readonly CovariateColumn[], batch: Labels | null = null) =>
  resolveCovariates(Int32Array.from(group), { covariates, batch, forModel: true });

describe('resolveCovariates', () => {
  it('leaves nothing behind when nothing was named', () => {
    const { design, stratum, batch, covariates } = resolve([0, 1], []);
    expect(design.strata).toEqual([[]]);
    expect([stratum, batch, covariates]).toEqual([null, null, null]);
  });

  it('numbers the combinations of levels that occur, the batch column last', () => {
    const donor = labels('donor', ['b', 'a', 'b', 'a', 'zzz', 'b']);
    const lane = labels('lane', ['10', '9', '9', '10', '9', '10']);
    const { design, stratum, batch } = resolve([0, 0, 1, 1, -1, 1], [donor], lane);
    expect(design.categorical).toEqual([
      { name: 'donor', levels: ['a', 'b'] },
      { name: 'lane', levels: ['9', '10'] },
    ]);
    expect(design.strata).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]);
    expect([...(stratum ?? [])]).toEqual([3, 0, 2, 1, -1, 3]);
    expect([...(batch ?? [])]).toEqual([1, 0, 0, 1, -1, 1]);
    expect(design.batch?.name).toBe('lane');
  });

  it('keeps the order of an ordered column and drops levels no cell has', () => {
    const dose = labels('dose', ['low', 'high', 'low', 'high'], ['none', 'low', 'high']);
    expect(resolve([0, 0, 1, 1], [dose]).design.categorical[0].levels).toEqual(['low', 'high']);
  });

  it('standardises numeric columns over the cells that take part', () => {
    const { design, covariates, stratum } = resolve([0, 1, 1, -1], [numbers('depth', [1, 2, 6, NaN])]);
    expect(design.continuous).toEqual([{ name: 'depth', centre: 3, scale: Math.sqrt(7) }]);
    const z = [-2, -1, 3].map((distance) => distance / Math.sqrt(7));
    expect([...(covariates ?? [])]).toEqual([...z, NaN]);
    expect(stratum).toBeNull();
  });

  it('interleaves several numeric columns cell by cell', () => {
    const { covariates, design } = resolve([0, 0, 1], [numbers('a', [0, 1, 2]), numbers('b', [5, 1, 1])]);
    expect(design.continuous.map(({ name }) => name)).toEqual(['a', 'b']);
    expect([covariates?.[0], covariates?.[2], covariates?.[4]]).toEqual([-1, 0, 1]);
  });

  it('warns of a numeric column that looks like a code', () => {
    expect(resolve([0, 1, 1], [numbers('replicate', [1, 2, 3])]).warnings).toEqual([
      'covariate "replicate" is numeric with 3 values and enters as a slope; make it a column of text for an effect of each value',
    ]);
  });

  it.each([
    ['a missing label', [0, 1, 1], [labels('x', ['a', null, 'b'])], 'column "x" has no value for cell 2'],
    ['a missing number', [0, 1, 1], [numbers('x', [1, 2, NaN])], 'column "x" has no value for cell 3'],
    ['one level', [0, 1, -1], [labels('x', ['a', 'a', 'b'])], 'column "x" is a for every cell'],
    ['one number', [0, 1, -1], [numbers('x', [2, 2, 3])], 'column "x" is 2 for every cell'],
    [
      'a level of its own for every cell',
      Array.from({ length: 700 }, (_, cell) => cell % 2),
      [
        labels(
          'barcode',
          Array.from({ length: 700 }, (_, cell) => `cell${cell}`),
        ),
      ],
      'column "barcode" has 700 levels',
    ],
    [
      'a column that follows from another',
      [0, 1, 0, 1, 0, 1],
      [labels('donor', ['a', 'b', 'c', 'a', 'b', 'c']), labels('sex', ['f', 'f', 'm', 'f', 'f', 'm'])],
      'covariate "sex" is collinear with "donor"',
    ],
    [
      'a number that follows from labels',
      [0, 1, 0, 1],
      [labels('donor', ['a', 'b', 'a', 'b']), numbers('age', [31, 57, 31, 57])],
      'covariate "age" is collinear with "donor"',
    ],
    [
      'numbers of which one is the sum of the others',
      [0, 1, 0, 1, 0],
      [numbers('a', [1, 2, 4, 3, 9]), numbers('b', [5, 1, 1, 0, 2]), numbers('c', [6, 3, 5, 3, 11])],
      'covariate "c" is collinear with "a", "b"',
    ],
  ])('refuses %s', (_, group, covariates, sentence) => {
    expect(() => resolve(group, covariates)).toThrow(sentence);
  });

  it('lets a batch follow from others when no model is fitted', () => {
    const group = Int32Array.of(0, 1, 0, 1);
    const batch = labels('lane', ['a', 'b', 'a', 'b']);
    expect(() =>
      resolveCovariates(group, { covariates: [labels('donor', ['x', 'y', 'x', 'y'])], batch, forModel: false }),
    ).not.toThrow();
  });
});
