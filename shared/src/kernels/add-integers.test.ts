import fc from 'fast-check';
import { expect, it } from 'vitest';
import { InvariantBrokenError } from '../errors/index.js';
import { addIntegers } from './add-integers.js';
import { KernelHeap } from './kernel-heap.js';

const SEED = { seed: 20_261_201, numRuns: 200 };
/** As long as the first. */
const pair = <T>(number: fc.Arbitrary<T>): fc.Arbitrary<[T[], T[]]> =>
  fc.array(fc.tuple(number, number), { maxLength: 9 }).map((both) => [both.map(([a]) => a), both.map(([, b]) => b)]);

it('adds 64-bit integers as BigInts are added, modulo 2^64, from inside and outside the heap', () => {
  const heap = KernelHeap.create();
  fc.assert(
    fc.property(pair(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), fc.boolean(), ([a, b], isInside) => {
      heap.scoped(() => {
        const sums = heap.within(BigInt64Array.from(a));
        const behind = heap.within(BigInt64Array.of(7n));
        const values = BigInt64Array.from(b);
        addIntegers(heap, sums, isInside ? heap.within(values) : values);
        expect([...sums]).toEqual(a.map((x, i) => BigInt.asIntN(64, x + b[i])));
        expect(behind[0]).toBe(7n);
      });
    }),
    SEED,
  );
});

it('adds 32-bit integers modulo 2^32', () => {
  const heap = KernelHeap.create();
  fc.assert(
    fc.property(pair(fc.nat({ max: 2 ** 32 - 1 })), ([a, b]) => {
      heap.scoped(() => {
        const sums = heap.copyU32(a);
        const behind = heap.copyU32([7]);
        addIntegers(heap, sums, Uint32Array.from(b));
        expect([...sums]).toEqual(a.map((x, i) => (x + b[i]) % 2 ** 32));
        expect(behind[0]).toBe(7);
      });
    }),
    SEED,
  );
});

it('refuses sums outside the heap and arrays of different lengths', () => {
  const heap = KernelHeap.create();
  expect(() => addIntegers(heap, new Uint32Array(2), heap.u32(2))).toThrow(InvariantBrokenError);
  expect(() => addIntegers(heap, heap.u32(2), new Uint32Array(3))).toThrow(InvariantBrokenError);
});
