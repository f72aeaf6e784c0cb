import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_COMPACT_BYTES } from './compact-rows.js';
import { encodeRowsReference } from './encode-rows.reference.js';
import { RowEncoder, type FileRows } from './encode-rows.js';
import { firstIrregularRow } from '../matrix/index.js';
import { KernelHeap } from './kernel-heap.js';

const N_GENES = 70_001;

type Row = readonly (readonly [gene: number, value: number])[];

const count = fc.oneof(fc.integer({ min: 1, max: 254 }), fc.constantFrom(255, 256, 65_536, 2 ** 24 + 2, 2 ** 32 - 1));
const single = fc.oneof(fc.integer({ min: 1, max: 400 }), fc.constantFrom(2 ** 24, 2 ** 31, 2 ** 32 - 256));
const real = fc.double({ min: 1e-6, max: 1e6, noNaN: true });
const rowsOf = (value: fc.Arbitrary<number>): fc.Arbitrary<Row[]> =>
  fc.array(
    fc
      .uniqueArray(fc.tuple(fc.integer({ min: 0, max: N_GENES - 1 }), value), {
        selector: ([gene]) => gene,
        maxLength: 30,
      })
      .map((row) => row.sort(([a], [b]) => a - b)),
    { minLength: 1, maxLength: 8 },
  );

const fileRows = (rows: readonly Row[], arrayType: Float32ArrayConstructor | Float64ArrayConstructor): FileRows => {
  const indptr = new Uint32Array(rows.length + 1);
  rows.forEach(({ length }, i) => (indptr[i + 1] = indptr[i] + length));
  return {
    nRows: rows.length,
    indptr,
    indices: Uint32Array.from(rows.flat(), ([gene]) => gene),
    values: new arrayType(rows.flat().map(([, value]) => value)),
  };
};

const limits = { nGenes: N_GENES, maxRows: 8, maxNonzeros: 240 };

describe.each([
  ['count', count, Float64Array] as const,
  ['count', single, Float32Array] as const,
  ['real', real, Float64Array] as const,
  ['real', real, Float32Array] as const,
])('rows of kind %s', (kind, value, arrayType) => {
  it('are checked, added up and encoded as the plain twin does it, block after block', () => {
    const heap = KernelHeap.create();
    fc.assert(
      fc.property(
        fc.array(rowsOf(value), { minLength: 1, maxLength: 3 }),
        fc.array(fc.integer({ min: -1, max: 3 }), { minLength: 8, maxLength: 8 }),
        fc.integer({ min: 0, max: 6 }),
        (blocks, groups, least) => {
          heap.scoped(() => {
            const encoder = new RowEncoder(heap, kind, limits);
            const encoded: number[] = [];
            const rowOffsets = [0];
            const geneCells = new Uint32Array(N_GENES);
            const geneTotals = new Float64Array(N_GENES);
            for (const block of blocks) {
              const rows = fileRows(block, arrayType);
              const twin = encodeRowsReference(kind, rows, groups, least, N_GENES);
              const sums = encoder.add(rows, Int32Array.from(groups), least);
              expect(sums.refused).toBe(-1);
              expect([...sums.totals.subarray(0, rows.nRows)]).toEqual(twin.totals);
              expect([...sums.rowBytes.subarray(0, rows.nRows)]).toEqual(twin.rowBytes);
              encoded.push(...twin.encoded);
              for (const bytes of twin.rowBytes) rowOffsets.push(rowOffsets[rowOffsets.length - 1] + bytes);
              twin.geneCells.forEach((n, gene) => (geneCells[gene] += n));
              twin.geneTotals.forEach((total, gene) => (geneTotals[gene] += total));
            }
            expect([...encoder.encoded]).toEqual(encoded);
            const offsets = rowOffsets.slice(0, -1).map((from, row) => [from, rowOffsets[row + 1]] as const);
            const backwards = offsets.map((_, row) => offsets.length - 1 - row);
            const turned = encoder.inOrder(Uint32Array.from(rowOffsets), Uint32Array.from(backwards));
            expect([...turned]).toEqual(backwards.flatMap((row) => encoded.slice(...offsets[row])));
            expect(encoder.geneCells.every((n, gene) => n === geneCells[gene])).toBe(true);
            expect(encoder.geneTotals.every((total, gene) => total === geneTotals[gene])).toBe(true);
          });
        },
      ),
      { seed: 1, numRuns: 40 },
    );
  });
});

describe('a value that is refused', () => {
  const counts = [-1, 0.5, NaN, Infinity, -Infinity, 2 ** 32];
  const reals = [-1, NaN, Infinity, -Infinity];

  it.each([
    ...counts.flatMap((value) => [['count', value, Float32Array] as const, ['count', value, Float64Array] as const]),
    ...reals.flatMap((value) => [['real', value, Float32Array] as const, ['real', value, Float64Array] as const]),
  ])('of kind %s: %d is named by its position, in a row that is not kept too', (kind, value, arrayType) => {
    const rows = fileRows([[[3, 1]], [[0, 2], [1, 7], [2, value], [9, value]]], arrayType); // prettier-ignore
    const encoder = new RowEncoder(KernelHeap.create(), kind, limits);
    expect(encoder.add(rows, Int32Array.of(0, -1), 0).refused).toBe(3);
    expect(encodeRowsReference(kind, rows, [0, -1], 0, N_GENES).refused).toBe(3);
  });

  it('leaves the limits of one nonzero as they are stated', () => {
    const heap = KernelHeap.create();
    for (const kind of ['count', 'real'] as const) {
      const encoder = new RowEncoder(heap, kind, limits);
      encoder.add(fileRows([[[70_000, 70_000]]], Float64Array), Int32Array.of(0), 0);
      expect(encoder.encoded).toHaveLength(MAX_COMPACT_BYTES[kind]);
    }
  });
});

/** Reads rows into the encoder's own arrays, from some element on, as a row source does. */
const readInto = (encoder: RowEncoder, rows: FileRows, begin: number): FileRows => {
  const n = rows.indices.length;
  const type = rows.values instanceof Float32Array ? Float32Array : Float64Array;
  const indices = encoder.roomForIndices(begin + n)?.subarray(begin);
  const values = encoder.roomForValues(type, begin + n)?.subarray(begin);
  indices?.set(rows.indices);
  values?.set(rows.values);
  return { ...rows, indices: indices ?? rows.indices, values: values ?? rows.values };
};

describe.each([
  ['count', Float64Array] as const,
  ['count', Float32Array] as const,
  ['real', Float64Array] as const,
  ['real', Float32Array] as const,
])('rows of kind %s that are read into the encoder', (kind, arrayType) => {
  const blocks = fc.tuple(rowsOf(single), fc.integer({ min: 0, max: 5 }));

  it('are encoded as others are', () => {
    const heap = KernelHeap.create();
    const groups = Int32Array.from({ length: 8 }, () => 0);
    fc.assert(
      fc.property(fc.array(blocks, { minLength: 1, maxLength: 3 }), (some) => {
        heap.scoped(() => {
          const encodedBy = (read: boolean): number[] =>
            heap.scoped(() => {
              const encoder = new RowEncoder(heap, kind, limits);
              for (const [rows, begin] of some) {
                const block = fileRows(rows, arrayType);
                expect(encoder.add(read ? readInto(encoder, block, begin) : block, groups, 0).refused).toBe(-1);
              }
              return [...encoder.encoded];
            });
          expect(encodedBy(true)).toEqual(encodedBy(false));
        });
      }),
      { seed: 2, numRuns: 60 },
    );
  });

  it('are looked over as the plain twin does it', () => {
    const heap = KernelHeap.create();
    const defect = fc.record({
      at: fc.nat(239),
      index: fc.option(fc.constantFrom(0, 5, N_GENES - 1, N_GENES, 2 ** 32 - 1)),
      value: fc.option(fc.constantFrom(0, -0, NaN)),
    });
    let irregular = 0;
    fc.assert(
      fc.property(blocks, fc.array(defect, { maxLength: 2 }), ([rows, begin], defects) => {
        heap.scoped(() => {
          const encoder = new RowEncoder(heap, kind, limits);
          const block = readInto(encoder, fileRows(rows, arrayType), begin);
          for (const { at, index, value } of defects) {
            const place = at % Math.max(1, block.indices.length);
            if (index !== null) block.indices[place] = index;
            if (value !== null) block.values[place] = value;
          }
          const found = encoder.firstIrregularRow(block, N_GENES);
          const isHeld = kind === 'count' || arrayType === Float64Array;
          const expected = firstIrregularRow(block, N_GENES);
          if (expected < block.nRows) irregular++;
          expect(found).toBe(isHeld ? expected : null);
        });
      }),
      { seed: 3, numRuns: 300 },
    );
    expect(irregular).toBeGreaterThan(100);
  });
});

describe('arrays of the encoder', () => {
  it('are none where they would be too long, or are not taken as they are', () => {
    const encoder = new RowEncoder(KernelHeap.create(), 'real', limits);
    expect(encoder.roomForIndices(2 ** 24)).toBeNull();
    expect(encoder.roomForValues(Float64Array, 2 ** 24)).toBeNull();
    expect(encoder.roomForValues(Float32Array, 1)).toBeNull();
    expect(encoder.roomForValues(Float64Array, 7)).toHaveLength(7);
  });
});
