import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadRows } from './heap-rows.js';
import { KernelHeap } from './kernel-heap.js';
import { scanpyKey, scatterScanpyKeys } from './rank-sum-keys.js';

const heap = KernelHeap.create(16 * 2 ** 20);

const count = fc.oneof(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 60_000 }));

describe('the keys of scanpy', () => {
  it('are the same to the last bit from the kernel and from its twin', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ counts: fc.array(count, { maxLength: 12 }), more: fc.integer({ min: 0, max: 200_000 }) })),
        (cells) =>
          heap.scoped(() => {
            const totals = cells.map(({ counts, more }) => counts.reduce((sum, own) => sum + own, more));
            const expected = cells.flatMap(({ counts }, row) => counts.map((own) => scanpyKey(own, totals[row])));
            const indptr = [0];
            for (const { counts } of cells) indptr.push(indptr[indptr.length - 1] + counts.length);
            // One gene a nonzero: its slot is its position.
            const genes = Array.from({ length: expected.length }, (_, i) => i);
            const rows = loadRows(heap, { indptr, indices: genes, counts: cells.flatMap(({ counts }) => counts) });
            const keys = heap.f64(expected.length);
            const cursors = heap.copyU32(genes);
            scatterScanpyKeys(heap, rows, heap.copyF64(totals), cursors, keys);
            expect([...keys]).toEqual(expected);
            expect([...cursors]).toEqual(genes.map((gene) => gene + 1));
          }),
      ),
      { seed: 41, numRuns: 300 },
    );
  });

  it('rise with the count and fall with the total', () => {
    fc.assert(
      fc.property(count, fc.integer({ min: 100, max: 200_000 }), (own, total) => {
        expect(scanpyKey(own + 1, total)).toBeGreaterThan(scanpyKey(own, total));
        expect(scanpyKey(own, total + 1)).toBeLessThanOrEqual(scanpyKey(own, total));
      }),
      { seed: 42, numRuns: 500 },
    );
  });

  it('are float32 numbers, and tell some equal ratios apart as float32 division does', () => {
    const multiples = Array.from({ length: 50 }, (_, i) => i + 1);
    const families = Array.from({ length: 100 }, (_, i) =>
      multiples.map((factor) => scanpyKey(factor, (i + 150) * factor)),
    );
    expect(families.flat().every((key) => Math.fround(key) === key)).toBe(true);
    expect(families.filter((keys) => new Set(keys).size > 1).length).toBeGreaterThan(10);
  });
});
