import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isInCone } from './cone.js';
import { findSeparation } from './separation.js';
import { collinearWithinLevels, strataDesign, type StrataModel } from './strata-design.js';

const vector = (...values: number[]): Float64Array => Float64Array.from(values);

describe('isInCone', () => {
  it('decides by hand-made cases', () => {
    expect(isInCone(vector(1, 1), [vector(1, 0), vector(0, 1)])).toBe(true);
    expect(isInCone(vector(1, -1), [vector(1, 0), vector(0, 1)])).toBe(false);
    expect(isInCone(vector(0, 0), [])).toBe(true);
    expect(isInCone(vector(1, 0), [])).toBe(false);
    expect(isInCone(vector(-3, 0.5), [vector(-1, 1), vector(-1, -1), vector(2, 0)])).toBe(true);
  });

  it('finds every combination it is given, and no vector that a plane separates from the generators', () => {
    const entry = fc.integer({ min: -1, max: 1 });
    const row = fc.array(entry, { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 1, maxLength: 7 }),
        fc.array(fc.nat(3), { minLength: 7, maxLength: 7 }),
        row,
        (rows, weights, normal) => {
          const generators = rows.map((values) => Float64Array.from(values));
          const inside = new Float64Array(3);
          generators.forEach((g, j) => g.forEach((x, i) => (inside[i] += weights[j] * x)));
          expect(isInCone(inside, generators)).toBe(true);
          const below = generators.filter((g) => g.reduce((sum, x, i) => sum + x * normal[i], 0) <= 0);
          if (normal.some((x) => x !== 0)) expect(isInCone(Float64Array.from(normal), below)).toBe(false);
        },
      ),
    );
  });
});

/** Both arms in each stratum of one factor. */
const oneFactor = (nLevels: number): StrataModel => {
  const strata = Array.from({ length: nLevels }, (_, level) => [level]);
  const cells = strata.map(() => 5);
  return strataDesign(strata, cells, cells).full;
};

describe('findSeparation', () => {
  // Rows: control of the levels, then perturbed of the levels.
  it.each([
    ['counts everywhere', [1, 1, 1, 1], 'finite', [1, 1, 1, 1]],
    ['a level without counts', [1, 0, 1, 0], 'finite', [1, 0, 1, 0]],
    ['no perturbed counts', [1, 1, 0, 0], 'down', [1, 1, 0, 0]],
    ['no control counts', [0, 0, 1, 1], 'up', [0, 0, 1, 1]],
    ['one arm in each level, crosswise', [1, 0, 0, 1], 'finite', [1, 1, 1, 1]],
    ['no counts', [0, 0, 0, 0], 'free', [0, 0, 0, 0]],
  ] as const)('with one factor: %s', (_, counts, last, finite) => {
    expect(findSeparation(oneFactor(2), counts)).toEqual({ finite: Uint8Array.from(finite), last });
  });

  it('knows that counts in strata of one arm say nothing of the perturbation', () => {
    const model = strataDesign([[0], [1]], [5, 5], [5, 0]).full;
    expect(findSeparation(model, [0, 1, 0])).toEqual({ finite: Uint8Array.of(0, 1, 0), last: 'free' });
    expect(findSeparation(model, [0, 1, 1])).toEqual({ finite: Uint8Array.of(0, 1, 1), last: 'up' });
  });

  it('agrees with directions found by trying: no small whole-number direction lowers a row it calls finite', () => {
    const strata = [0, 1].flatMap((a) => [0, 1].flatMap((b) => [0, 1].map((c) => [a, b, c])));
    const cells = strata.map(() => 3);
    const { full } = strataDesign(strata, cells, cells);
    const p = full.nLevels + full.nColumns;
    const row = (r: number): number[] => [
      ...Array.from({ length: full.nLevels }, (_, l) => (full.level[r] === l ? 1 : 0)),
      ...full.columns.subarray(r * full.nColumns, (r + 1) * full.nColumns),
    ];
    const directions = Array.from({ length: 5 ** p }, (_, i) =>
      Array.from({ length: p }, (_unused, c) => (Math.floor(i / 5 ** c) % 5) - 2),
    );
    const values = directions.map((d) =>
      Array.from({ length: full.nRows }, (_, r) => row(r).reduce((sum, x, c) => sum + x * d[c], 0)),
    );
    const pattern = fc.array(fc.boolean(), { minLength: full.nRows, maxLength: full.nRows });
    fc.assert(
      fc.property(pattern, (hasCounts) => {
        const { finite, last } = findSeparation(full, hasCounts);
        const lowered = new Uint8Array(full.nRows);
        let [up, down] = [false, false];
        values.forEach((value, i) => {
          if (!value.every((x, r) => (hasCounts[r] ? x === 0 : x <= 0))) return;
          value.forEach((x, r) => x < 0 && (lowered[r] = 1));
          if (directions[i][p - 1] > 0) up = true;
          if (directions[i][p - 1] < 0) down = true;
        });
        expect([...finite]).toEqual([...lowered].map((x) => 1 - x));
        if (hasCounts.includes(true)) expect(last).toBe(up ? (down ? 'free' : 'up') : down ? 'down' : 'finite');
      }),
      { numRuns: 60 },
    );
  });
});

describe('strataDesign', () => {
  it('names the factor that is the perturbation, and otherwise all of them', () => {
    const strata = [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ];
    expect(strataDesign(strata, [5, 5, 0, 0], [0, 0, 5, 5]).collinearWith).toEqual([0]);
    expect(strataDesign(strata, [5, 0, 0, 0], [0, 5, 5, 0]).collinearWith).toEqual([0, 1]);
    expect(strataDesign(strata, [5, 5, 0, 0], [0, 5, 5, 5]).collinearWith).toEqual([]);
  });

  it('leaves out what cannot be told apart in these strata', () => {
    const strata = [
      [0, 0],
      [1, 1],
      [2, 1],
    ];
    const design = strataDesign(strata, [5, 5, 5], [5, 5, 5]);
    expect(design.aliased).toEqual([1]);
    expect(design.full.nColumns).toBe(1);
    expect(design.nCoefficients).toBe(4);
    expect(collinearWithinLevels(design.full)).toEqual([]);
  });
});
