import fc from 'fast-check';
import { expect, it } from 'vitest';
import { KernelHeap, loadRows } from '../kernels/index.js';
import { CountHistogram } from './count-histogram.js';

it('knows the total of every gene, large counts and merged histograms included', () => {
  const heap = KernelHeap.create();
  const rows = loadRows(heap, { indptr: [0, 2, 4], indices: [0, 2, 0, 2], counts: [3, 64, 1, 70_000] });
  const histogram = new CountHistogram(3);
  histogram.addRows(rows);
  expect([...histogram.totals()]).toEqual([4, 0, 70_064]);
  histogram.merge(CountHistogram.fromArrays(histogram.toArrays()));
  expect([...histogram.totals()]).toEqual([8, 0, 140_128]);
});

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint32Array): Buffer =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);

it('is the same by the kernel and by plain code, rows of a block in pieces', () => {
  const N_GENES = 2500;
  const row = fc.uniqueArray(fc.tuple(fc.nat({ max: N_GENES - 1 }), fc.integer({ min: 1, max: 90 })), {
    selector: ([gene]) => gene,
    maxLength: 40,
  });
  fc.assert(
    fc.property(fc.array(row, { minLength: 2, maxLength: 30 }), (cells) => {
      const heap = KernelHeap.create();
      const sorted = cells.map((cell) => [...cell].sort(([a], [b]) => a - b));
      const nonzeros = sorted.flat();
      const indptr = [0];
      for (const cell of sorted) indptr.push(indptr[indptr.length - 1] + cell.length);
      const rows = loadRows(heap, { indptr, indices: nonzeros.map(([g]) => g), counts: nonzeros.map(([, y]) => y) });
      const plain = new CountHistogram(N_GENES);
      plain.addRows(rows);
      const byKernel = new CountHistogram(N_GENES, heap);
      byKernel.addRows({ ...rows, nRows: 1 });
      byKernel.addRows({ ...rows, nRows: rows.nRows - 1, indptr: rows.indptr.subarray(1) });
      expect(byKernel.toArrays().overflow).toEqual(plain.toArrays().overflow);
      // By element is slow for 160,000 of them.
      expect(bytesOf(byKernel.dense).equals(bytesOf(plain.dense))).toBe(true);
    }),
    { seed: 20_261_129, numRuns: 60 },
  );
});

it('keeps large counts, however many there are in a block', () => {
  const heap = KernelHeap.create();
  const N = 40_000;
  const counts = Array.from({ length: N }, (_, i) => (i % 3 === 0 ? 2 : 65 + (i % 7)));
  const rows = loadRows(heap, { indptr: [0, N], indices: counts.map((_, i) => i), counts });
  const plain = new CountHistogram(N);
  plain.addRows(rows);
  const byKernel = new CountHistogram(N, heap);
  byKernel.addRows(rows);
  expect(byKernel.toArrays().overflow).toEqual(plain.toArrays().overflow);
});

it('adds stored and other histograms by the kernel as by plain code', () => {
  const heap = KernelHeap.create();
  const histogram = new CountHistogram(3, heap);
  const rows = loadRows(heap, { indptr: [0, 2, 4], indices: [0, 2, 0, 2], counts: [3, 64, 1, 70_000] });
  const plain = new CountHistogram(3);
  plain.addRows(rows);
  histogram.merge(plain);
  const stored = plain.toArrays();
  histogram.mergeArrays(stored);
  histogram.mergeArrays({ ...stored, dense: heap.copyU32(stored.dense) });
  const twin = new CountHistogram(3);
  for (let i = 0; i < 3; i++) twin.merge(plain);
  expect([...histogram.dense]).toEqual([...twin.dense]);
  expect(histogram.toArrays().overflow).toEqual(twin.toArrays().overflow);
  expect([...twin.totals()]).toEqual([12, 0, 210_192]);
});
