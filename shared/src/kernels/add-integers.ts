import { InvariantBrokenError } from '../errors/index.js';
import type { KernelHeap } from './kernel-heap.js';

/**
 * sums[i] += values[i] modulo 2^64 or 2^32. Cost: 0.25 ns a 64-bit number, half that with 32 bits; twice as much from
 * outside the heap.
 *
 * @param sums - in the heap
 * @param values - copied there for the time where they lie elsewhere
 * @throws InvariantBrokenError for sums outside the heap, and for arrays of different lengths
 */
export function addIntegers<View extends BigInt64Array | Uint32Array>(
  heap: KernelHeap,
  sums: View,
  values: View,
): void {
  if (!heap.holds(sums) || sums.length !== values.length) {
    throw new InvariantBrokenError('integers are added to as many in the kernel heap', {
      details: { sums: sums.length, values: values.length },
    });
  }
  const kernel = sums instanceof BigInt64Array ? 'addI64' : 'addU32';
  heap.scoped(() => heap.exports[kernel](sums.byteOffset, heap.within(values).byteOffset, sums.length));
}
