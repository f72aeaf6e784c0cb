import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normaliseRows, float16ToNumber, type RawRows } from './index.js';

type Entry = readonly [column: number, value: number];

const rawRows = (rows: readonly (readonly Entry[])[]): RawRows => {
  const indptr = new Uint32Array(rows.length + 1);
  rows.forEach((row, i) => (indptr[i + 1] = indptr[i] + row.length));
  const flat = rows.flat();
  return {
    nRows: rows.length,
    indptr,
    indices: Uint32Array.from(flat, ([column]) => column),
    values: Float32Array.from(flat, ([, value]) => value),
  };
};

const entriesOf = ({ nRows, indptr, indices, values }: RawRows): Entry[][] =>
  Array.from({ length: nRows }, (_, row) =>
    Array.from({ length: indptr[row + 1] - indptr[row] }, (_, i) => [
      indices[indptr[row] + i],
      values[indptr[row] + i],
    ]),
  );

/** The slow twin: what normalising means. */
const sortedWithoutZeros = (row: readonly Entry[]): Entry[] =>
  row.filter(([, value]) => value !== 0).sort(([a], [b]) => a - b);

const refuse = (row: number, reason: string): never => {
  throw new RangeError(`row ${row} ${reason}`);
};

describe('normalising rows', () => {
  it('equals sorting and filtering each row', () => {
    const row = fc.uniqueArray(fc.tuple(fc.nat(99), fc.integer({ min: 0, max: 3 })), {
      selector: ([column]) => column,
    });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 12 }), (rows) => {
        const raw = rawRows(rows);
        normaliseRows(raw, 100, refuse);
        expect(entriesOf(raw)).toEqual(rows.map(sortedWithoutZeros));
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('treats a negative zero as a zero', () => {
    const raw = rawRows([[[0, -0], [1, 2]]]); // prettier-ignore
    normaliseRows(raw, 2, refuse);
    expect(entriesOf(raw)).toEqual([[[1, 2]]]);
  });

  it('names the row of an index that is out of range', () => {
    const raw = rawRows([[[0, 1]], [[3, 1], [1, 1]]]); // prettier-ignore
    expect(() => normaliseRows(raw, 3, refuse)).toThrow('row 1 has a column index that is negative or not below 3');
  });

  it('names the row and the column of a duplicate, even when one of the two is zero', () => {
    const raw = rawRows([[], [[2, 1], [0, 1], [2, 0]]]); // prettier-ignore
    expect(() => normaliseRows(raw, 3, refuse)).toThrow('row 1 has two values in column 2');
  });
});

describe('half-precision numbers', () => {
  it('have the values that IEEE 754 gives them', () => {
    const cases: [bits: number, value: number][] = [
      [0x0000, 0],
      [0x0001, 2 ** -24],
      [0x03ff, 1023 * 2 ** -24],
      [0x0400, 2 ** -14],
      [0x3555, 0.333251953125],
      [0x3c00, 1],
      [0xc000, -2],
      [0x7bff, 65504],
      [0x7c00, Infinity],
      [0xfc00, -Infinity],
    ];
    for (const [bits, value] of cases) expect(float16ToNumber(bits)).toBe(value);
    expect(float16ToNumber(0x7e00)).toBeNaN();
  });
});
