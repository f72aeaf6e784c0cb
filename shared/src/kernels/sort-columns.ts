import type { KernelHeap } from './kernel-heap.js';

/**
 * Sorts every gene's rank keys ascending, in place.
 *
 * Keys must not be negative and not NaN: their bits are compared as integers. Short segments are merged, long ones sorted by
 * radix; 10 to 25 ns a key.
 *
 * @param keys - f64 in the heap
 * @param offsets - u32 in the heap: segment i is [offsets[i], offsets[i + 1])
 */
export function sortColumns(heap: KernelHeap, keys: Float64Array, offsets: Uint32Array): void {
  heap.scoped(() => {
    const scratch = heap.uninitialised(Float64Array, longestSegment(offsets));
    heap.exports.sortSegments(keys.byteOffset, offsets.byteOffset, offsets.length - 1, scratch.byteOffset);
  });
}

/**
 * What the ties within each gene's sorted nonzeros contribute to the variance of its rank sum, Σ (c³ − c) over the distinct
 * keys with c copies each. Exact up to c = 208,063; beyond, within one unit in the last place a term.
 *
 * @param ties - f64 in the heap, one per segment
 */
export function tieTerms(heap: KernelHeap, keys: Float64Array, offsets: Uint32Array, ties: Float64Array): void {
  heap.exports.tieTerms(keys.byteOffset, offsets.byteOffset, offsets.length - 1, ties.byteOffset);
}

/** Length of the longest of the segments that consecutive offsets bound. */
export function longestSegment(offsets: Uint32Array): number {
  let longest = 0;
  for (let i = 1; i < offsets.length; i++) longest = Math.max(longest, offsets[i] - offsets[i - 1]);
  return longest;
}
