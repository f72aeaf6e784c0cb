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
 * Ratios that are equal, such as 1/100 and 3/300, may come apart by the division's rounding, and neighbours fall together by
 * the logarithm's: 4% of the distinct quotients of a real screen. The division is scanpy's to the last bit. The logarithm is
 * rounded correctly for all but two of the 176,160,768 float32 numbers in [2^-7, 2^14) (checked one by one; mpmath decided the
 * six near ties), and so is numpy's where it calls a C library with correctly rounded functions (glibc 2.41 and later). With
 * AVX-512, or with an older library, 2 to 5% of numpy's logarithms are one unit in the last place off, and of 580 pairs of
 * neighbours that fall together 556 do so with both. So scanpy's own z differ by up to 2.1e-3 between processors, and by as much from these keys
 * (test/reference/rank-variants.test.ts prints the figures). To get the z of one certain run of scanpy to all digits, test
 * the matrix that it wrote.
 *
 * @param count - at least 1
 * @param total - total count of the cell; below 2^24, where float32 sums are exact
 */
export function scanpyKey(count: number, total: number): number {
  const divisor = Math.fround(Math.fround(total) / NORMALIZED_TOTAL);
  return Math.fround(Math.log1p(Math.fround(Math.fround(count) / divisor)));
}
