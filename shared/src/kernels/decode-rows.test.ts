import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CompactValueKind } from './compact-rows.js';
import { decodeRowsReference } from './decode-rows.reference.js';
import { CompactRowDecoder, scatterKeys } from './decode-rows.js';
import { encodeRowsReference } from './encode-rows.reference.js';
import { KernelHeap } from './kernel-heap.js';

type Row = readonly (readonly [gene: number, value: number])[];

const count = fc.oneof(fc.integer({ min: 1, max: 254 }), fc.constantFrom(255, 256, 65_536, 2 ** 32 - 1));
const real = fc.double({ min: 1e-6, max: 1e6, noNaN: true });
const rowOf = (value: fc.Arbitrary<number>): fc.Arbitrary<Row> =>
  fc
    .uniqueArray(fc.tuple(fc.integer({ min: 0, max: 70_000 }), value), { selector: ([gene]) => gene, maxLength: 30 })
    .map((row) => row.sort(([a], [b]) => a - b));

function encode(kind: CompactValueKind, rows: readonly Row[]): { bytes: Uint8Array; offsets: Uint32Array } {
  const fileRows = {
    nRows: rows.length,
    indptr: offsetsOf(rows.map(({ length }) => length)),
    indices: Uint32Array.from(rows.flat(), ([gene]) => gene),
    values: Float64Array.from(rows.flat(), ([, value]) => value),
  };
  const groups = rows.map(() => 0);
  const { encoded, rowBytes } = encodeRowsReference(kind, fileRows, groups, 0, 70_001);
  return { bytes: Uint8Array.from(encoded), offsets: offsetsOf(rowBytes) };
}

const offsetsOf = (lengths: readonly number[]): Uint32Array => {
  const offsets = new Uint32Array(lengths.length + 1);
  lengths.forEach((length, i) => (offsets[i + 1] = offsets[i] + length));
  return offsets;
};

const keep = (rows: readonly Row[], begin: number, end: number): Row[] =>
  rows.map((row) => row.filter(([gene]) => gene >= begin && gene < end).map(([gene, value]) => [gene - begin, value]));

describe.each([['count', count] as const, ['real', real] as const])('compact rows of kind %s', (kind, value) => {
  const heap = KernelHeap.create();
  const decoder = new CompactRowDecoder(heap, kind, { maxRows: 8, maxNonzeros: 256, maxBytes: 4096 });

  it('come back as they were written, for any range of genes, by the kernel and by its plain twin', () => {
    fc.assert(
      fc.property(
        fc.array(rowOf(value), { maxLength: 8 }),
        fc.integer({ min: 0, max: 70_001 }),
        fc.integer({ min: 0, max: 70_001 }),
        (rows, a, b) => {
          const [begin, end] = [Math.min(a, b), Math.max(a, b)];
          const { bytes, offsets } = encode(kind, rows);
          const expected = keep(rows, begin, end);
          const plain = decodeRowsReference(kind, bytes, offsets, begin, end);
          const fast =
            kind === 'count'
              ? decoder.decodeCounts(bytes, offsets, begin, end)
              : decoder.decodeReals(bytes, offsets, begin, end);
          const n = expected.flat().length;
          const values = 'counts' in fast ? fast.counts : fast.values;
          expect(plain.indices).toEqual(expected.flat().map(([gene]) => gene));
          expect(plain.values).toEqual(expected.flat().map(([, v]) => v));
          expect([...fast.indices.subarray(0, n)]).toEqual(plain.indices);
          expect([...values.subarray(0, n)]).toEqual(plain.values);
          expect([...fast.indptr.subarray(0, rows.length + 1)]).toEqual(plain.indptr);
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe('rank keys', () => {
  it('are counts divided by the total of their cell, gene by gene in the order of cells', () => {
    const heap = KernelHeap.create();
    const decoder = new CompactRowDecoder(heap, 'count', { maxRows: 2, maxNonzeros: 8, maxBytes: 64 });
    const { bytes, offsets } = encode('count', [
      [
        [0, 3],
        [2, 1],
      ],
      [
        [0, 5],
        [1, 2],
      ],
    ]);
    const rows = decoder.decodeCounts(bytes, offsets, 0, 3);
    const cursors = heap.copyU32([0, 2, 3]);
    const keys = heap.f64(4);
    scatterKeys(heap, rows, heap.copyF64([4, 7]), cursors, keys);
    expect([...keys]).toEqual([3 / 4, 5 / 7, 2 / 7, 1 / 4]);
  });

  it('of some consecutive rows are those of these rows alone, counts and given values alike', () => {
    const heap = KernelHeap.create();
    const limits = { maxRows: 3, maxNonzeros: 8, maxBytes: 128 };
    const encoded: [number, number][][] = [[[0, 3]], [[1, 5]], [[0, 2]]];
    const middle = (kind: 'count' | 'real'): number[] => {
      const { bytes, offsets } = encode(kind, encoded);
      const decoder = new CompactRowDecoder(heap, kind, limits);
      const rows =
        kind === 'count' ? decoder.decodeCounts(bytes, offsets, 0, 2) : decoder.decodeReals(bytes, offsets, 0, 2);
      const keys = heap.f64(2);
      const totals = heap.copyF64([10, 20, 40]).subarray(1);
      const some = { ...rows, nRows: 2, indptr: rows.indptr.subarray(1) };
      scatterKeys(heap, some, totals, heap.copyU32([0, 1]), keys);
      return [...keys];
    };
    expect(middle('count')).toEqual([2 / 40, 5 / 20]);
    expect(middle('real')).toEqual([2, 5]);
  });
});
