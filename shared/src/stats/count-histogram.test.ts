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
