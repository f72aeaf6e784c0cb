import type { HeapRows } from './heap-rows.js';
import type { KernelHeap } from './kernel-heap.js';
import { NORMALIZED_TOTAL } from './moment-accumulator.js';

/**
 * Writes rank keys gene by gene, keys[cursors[gene]++], with the values that scanpy's float32 normalisation gives instead of
 * the exact ratios of `scatterKeys`; each is `scanpyKey(count, total)`.
 *
 * About 4 ns a nonzero: the keys of small counts are remembered within a row.
 *
 * @param rows - counts; for values that are given already use `scatterKeys`
 * @param totals - total count of each row; f64 in the heap
 * @param cursors - u32 per gene in the heap: next free slot of the gene's segment; advanced
 * @param keys - f64 in the heap
 */
export function scatterScanpyKeys(
  heap: KernelHeap,
  rows: HeapRows,
  totals: Float64Array,
  cursors: Uint32Array,
  keys: Float64Array,
): void {
  heap.exports.scatterScanpyKeys(
    rows.indptr.byteOffset,
    rows.indices.byteOffset,
    rows.counts.byteOffset,
    rows.nRows,
    totals.byteOffset,
    NORMALIZED_TOTAL,
    cursors.byteOffset,
    keys.byteOffset,
  );
}

/**
 * The value by which scanpy ranks a cell after `normalize_total(target_sum=1e4)` and `log1p` of float32 counts:
 *     f32( log1p( f32( count / f32( total / 1e4 ) ) ) ),
 * every step rounded to float32, the logarithm correctly.
 *
 * Ratios that are equal, such as 1/100 and 3/300, come apart by the division's rounding, and neighbours fall together by
 * the logarithm's: both happen here as in scanpy. What remains is numpy's own logarithm, which is rounded correctly where it
 * calls a C library with correctly rounded functions (glibc 2.41 and later), but off by one unit in the last place for 3 to
 * 5% of the values where it uses AVX-512 or an older C library. Which values those are depends on the machine, so scanpy's
 * z differ between machines by up to 2e-3, and from this by as much (figures: test/reference/rank-variants.test.ts).
 *
 * @param count - at least 1
 * @param total - total count of the cell; below 2^24, where float32 sums are exact
 */
export function scanpyKey(count: number, total: number): number {
  const divisor = Math.fround(Math.fround(total) / NORMALIZED_TOTAL);
  return Math.fround(Math.log1p(Math.fround(Math.fround(count) / divisor)));
}
