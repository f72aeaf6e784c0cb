import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { KernelHeap } from './kernel-heap.js';
import { sortColumns, tieTerms } from './sort-columns.js';
import { sortColumnsReference, tieTermsReference } from './sort-columns.reference.js';

let heap: KernelHeap;
beforeAll(() => {
  heap = KernelHeap.create(64 * 2 ** 20);
});

const check = (segments: readonly (readonly number[])[]): void =>
  heap.scoped(() => {
    const offsets = [0];
    for (const segment of segments) offsets.push(offsets[offsets.length - 1] + segment.length);
    const keys = heap.copyF64(segments.flat());
    const heapOffsets = heap.copyU32(offsets);
    const ties = heap.f64(segments.length);
    const expected = Float64Array.from(keys);
    sortColumnsReference(expected, heapOffsets);
    sortColumns(heap, keys, heapOffsets);
    tieTerms(heap, keys, heapOffsets, ties);
    expect([...keys]).toEqual([...expected]);
    expect([...ties]).toEqual(tieTermsReference(expected, heapOffsets));
  });

const key = fc.oneof(
  fc.double({ min: 0, max: 1e300, noNaN: true }).map(Math.abs),
  fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 900, max: 1100 })).map(([count, total]) => count / total),
  // Equal leading bits and different trailing ones: what the radix digits do not see.
  fc.integer({ min: 0, max: 1000 }).map((steps) => 1 + steps * 2 ** -52),
);

describe('the sort of rank keys', () => {
  it('equals the general sort for segments that are inserted and merged', () => {
    fc.assert(
      fc.property(fc.array(fc.array(key, { maxLength: 90 }), { maxLength: 12 }), (segments) => check(segments)),
      { seed: 31, numRuns: 200 },
    );
  });

  it('equals the general sort for segments that go by radix', () => {
    fc.assert(
      fc.property(fc.array(key, { minLength: 384, maxLength: 1200 }), (segment) =>
        check([[3, 1, 2], segment, [], [5]]),
      ),
      { seed: 32, numRuns: 40 },
    );
  });

  it('orders a long segment whose leading bits are all the same', () => {
    check([Array.from({ length: 5000 }, (_, i) => 1 + ((i * 7919) % 5000) * 2 ** -52)]);
  });

  it.each([200, 1023, 1024])('orders %i keys that only bits beyond the radix, or its lowest digit, tell apart', (n) => {
    const near = (spread: number): number[] => Array.from({ length: n }, (_, i) => 1 + spread * ((i * 7919) % n));
    check([near(2 ** -50), near(2 ** -18), near(2 ** -12)]);
  });

  it('does nothing to no segments', () => {
    check([]);
    check([[], []]);
  });
});
