import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { KernelHeap } from './kernel-heap.js';
import { MomentAccumulator, MomentColumn } from './moment-accumulator.js';
import { countMomentsReference, realMomentsReference } from './moment-accumulator.reference.js';

const N_GENES = 9;

let heap: KernelHeap;
beforeAll(() => {
  heap = KernelHeap.create(64 * 2 ** 20);
});

/** One cell: a value (0 for none) for every gene. */
const cellsOf = (value: fc.Arbitrary<number>): fc.Arbitrary<number[][]> =>
  fc.array(fc.array(value, { minLength: N_GENES, maxLength: N_GENES }), { maxLength: 30 });

const count = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 3 }) },
  { weight: 1, arbitrary: fc.integer({ min: 60, max: 70 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 1e6 }) },
);
const real = fc.oneof(fc.constant(0), fc.constantFrom(0.5, 1.25, 2.5), fc.double({ min: 1e-9, max: 9.3, noNaN: true }));

const sparse = (cells: readonly (readonly number[])[]) => {
  const indptr = [0];
  const indices: number[] = [];
  const values: number[] = [];
  for (const cell of cells) {
    cell.forEach((value, gene) => {
      if (value === 0) return;
      indices.push(gene);
      values.push(value);
    });
    indptr.push(indices.length);
  }
  return { nRows: cells.length, indptr: heap.copyU32(indptr), indices: heap.copyU32(indices), values };
};

const totalsOf = (cells: readonly (readonly number[])[]): number[] =>
  cells.map((cell) => cell.reduce((sum, value) => sum + value, 0) + 17);
const sizeFactorsOf = (cells: readonly unknown[]): number[] => cells.map((_, i) => 0.3 + (i % 7) / 3);

// log1p of the module (musl) and of the engine (fdlibm) may differ by an ulp, and its square by two.
const TOLERANCE = 1e-14;
const expectClose = (actual: Float64Array, expected: Float64Array): void => {
  expect(actual.length).toBe(expected.length);
  actual.forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(TOLERANCE * expected[i]));
};

describe('sums of moments over cells', () => {
  it('equal the plain twin for any counts', () => {
    fc.assert(
      fc.property(cellsOf(count), (cells) => {
        heap.scoped(() => {
          const { values, ...rows } = sparse(cells);
          const heapRows = { ...rows, counts: heap.copyU32(values) };
          const accumulator = new MomentAccumulator(heap, N_GENES);
          accumulator.addRows(heapRows, heap.copyF64(totalsOf(cells)), heap.copyF64(sizeFactorsOf(cells)));
          const expected = countMomentsReference(N_GENES, heapRows, totalsOf(cells), sizeFactorsOf(cells));
          expectClose(accumulator.sums, expected.sums);
          expect([...accumulator.nExpressing]).toEqual([...expected.nExpressing]);
          expect(accumulator.nCells).toBe(cells.length);
        });
      }),
      { seed: 41, numRuns: 200 },
    );
  });

  it('are left out where only cells are to be counted', () => {
    fc.assert(
      fc.property(cellsOf(count), cellsOf(real), (cells, others) => {
        heap.scoped(() => {
          const { values, ...rows } = sparse(cells);
          const heapRows = { ...rows, counts: heap.copyU32(values) };
          const real = sparse(others);
          const realRows = { ...real, values: heap.copyF64(real.values) };
          const [totals, sizeFactors] = [totalsOf(cells), sizeFactorsOf(cells)];
          const accumulator = new MomentAccumulator(heap, N_GENES, false);
          for (let time = 0; time < 2; time++) {
            accumulator.reset();
            accumulator.addRows(heapRows, heap.copyF64(totals), heap.copyF64(sizeFactors));
            accumulator.addRealRows(realRows);
          }
          const first = countMomentsReference(N_GENES, heapRows, totals, sizeFactors).nExpressing;
          const second = realMomentsReference(N_GENES, realRows).nExpressing;
          expect([...accumulator.nExpressing]).toEqual([...first].map((n, gene) => n + second[gene]));
          expect(accumulator.nCells).toBe(cells.length + others.length);
          expect(accumulator.sums.every(Number.isNaN)).toBe(true);
        });
      }),
      { seed: 43, numRuns: 100 },
    );
  });

  it('equal the plain twin for given log values', () => {
    fc.assert(
      fc.property(cellsOf(real), (cells) => {
        heap.scoped(() => {
          const { values, ...rows } = sparse(cells);
          const heapRows = { ...rows, values: heap.copyF64(values) };
          const accumulator = new MomentAccumulator(heap, N_GENES);
          accumulator.addRealRows(heapRows);
          const expected = realMomentsReference(N_GENES, heapRows);
          expectClose(accumulator.sums, expected.sums);
          expect([...accumulator.nExpressing]).toEqual([...expected.nExpressing]);
        });
      }),
      { seed: 42, numRuns: 200 },
    );
  });

  it('have the same bits however the cells are cut into blocks', () => {
    fc.assert(
      fc.property(cellsOf(count), fc.integer({ min: 1, max: 10 }), (cells, blockRows) => {
        heap.scoped(() => {
          const accumulate = (step: number): number[] => {
            const accumulator = new MomentAccumulator(heap, N_GENES);
            for (let begin = 0; begin < cells.length; begin += step) {
              const block = cells.slice(begin, begin + step);
              const { values, ...rows } = sparse(block);
              accumulator.addRows(
                { ...rows, counts: heap.copyU32(values) },
                heap.copyF64(totalsOf(block)),
                heap.copyF64(sizeFactorsOf(cells).slice(begin, begin + step)),
              );
            }
            return [...accumulator.sums];
          };
          expect(accumulate(blockRows)).toEqual(accumulate(Math.max(1, cells.length)));
        });
      }),
      { seed: 43, numRuns: 60 },
    );
  });

  it('start from zero after a reset', () => {
    heap.scoped(() => {
      const cells = [[1, 0, 2, 0, 0, 0, 0, 0, 300]];
      const { values, ...rows } = sparse(cells);
      const accumulator = new MomentAccumulator(heap, N_GENES);
      for (let repeat = 0; repeat < 2; repeat++) {
        accumulator.reset();
        accumulator.addRows({ ...rows, counts: heap.copyU32(values) }, heap.copyF64([1e4]), heap.copyF64([0.5]));
      }
      expect(accumulator.nCells).toBe(1);
      expect(accumulator.sums[4 * 8 + MomentColumn.normalized]).toBe(300);
      expect(accumulator.sums[4 * 8 + MomentColumn.scaled]).toBe(600);
      expect(accumulator.sums[4 * 2 + MomentColumn.log]).toBeCloseTo(Math.log(3), 15);
    });
  });
});
