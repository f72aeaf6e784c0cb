import { describe, expect, it } from 'vitest';
import { InvariantBrokenError, ResourceExhaustedError } from '../errors/index.js';
import { KernelHeap } from './kernel-heap.js';

const MEBIBYTE = 1024 ** 2;

describe('the kernel heap', () => {
  it('hands out zeroed arrays aligned to 16 bytes', () => {
    const heap = KernelHeap.create();
    for (const view of [heap.u8(3), heap.f64(5), heap.i64(1), heap.u32(7), heap.f32(2), heap.i32(9)]) {
      expect(view.byteOffset % 16).toBe(0);
      expect([...view].every((value) => Number(value) === 0)).toBe(true);
    }
  });

  it('zeroes an array again that lies where a released one lay', () => {
    const heap = KernelHeap.create();
    const mark = heap.mark();
    heap.f64(100).fill(7);
    heap.release(mark);
    expect(heap.u32(300).every((value) => value === 0)).toBe(true);
  });

  it('zeroes arrays and nothing beside them', () => {
    const heap = KernelHeap.create();
    const [before, first, second, after] = [heap.f64(2), heap.f64(3), heap.i64(2), heap.u8(16)];
    for (const view of [before, first, after]) view.fill(7);
    second.fill(7n);
    heap.zero(first, second.subarray(0, 1));
    expect(() => heap.zero(new Float64Array(1))).toThrow(InvariantBrokenError);
    expect([...before, ...first, ...second, ...after].map(Number)).toEqual([
      7,
      7,
      0,
      0,
      0,
      0,
      7,
      ...Array<number>(16).fill(7),
    ]);
  });

  it('knows the arrays that lie in it, those made before it grew too', () => {
    const heap = KernelHeap.create();
    const early = heap.f64(1);
    const late = heap.f64(8 * MEBIBYTE);
    expect([early, late, late.subarray(5)].map((view) => heap.holds(view))).toEqual([true, true, true]);
    expect(heap.holds(new Float64Array(1))).toBe(false);
    expect(heap.holds(KernelHeap.create().f64(1))).toBe(false);
  });

  it('keeps earlier views valid when it grows', () => {
    const heap = KernelHeap.create();
    const early = heap.copyF64([1, 2, 3]);
    const late = heap.f64(8 * MEBIBYTE);
    late[late.length - 1] = 9;
    early[0] = 4;
    expect([...early]).toEqual([4, 2, 3]);
    expect(heap.bytesInUse).toBeGreaterThan(64 * MEBIBYTE);
  });

  it('releases what a scope allocated, also when the scope throws', () => {
    const heap = KernelHeap.create();
    const before = heap.bytesInUse;
    const failing = (): never => {
      heap.u8(10);
      throw new InvariantBrokenError('on purpose');
    };
    expect(() => heap.scoped(failing)).toThrow('on purpose');
    expect(heap.scoped(() => heap.f64(10).length)).toBe(10);
    expect(heap.bytesInUse).toBe(before);
  });

  it('says that it is full when the maximum is reached, and stays usable', () => {
    const heap = KernelHeap.create(2 * MEBIBYTE);
    const before = heap.bytesInUse;
    expect(() => heap.f64(MEBIBYTE)).toThrow(ResourceExhaustedError);
    expect(heap.bytesInUse).toBe(before);
    expect(heap.u8(MEBIBYTE).length).toBe(MEBIBYTE);
  });

  it('reaches addresses beyond 2 GiB', () => {
    const heap = KernelHeap.create();
    heap.u8(2.5 * 1024 * MEBIBYTE);
    const high = heap.copyU32([5, 6]);
    expect(high.byteOffset).toBeGreaterThan(2 ** 31);
    expect([...high]).toEqual([5, 6]);
  });

  it('copies what lies elsewhere, and takes what lies in it as it is', () => {
    const heap = KernelHeap.create();
    for (const values of [Float64Array.of(0.5, NaN), Uint32Array.of(7), BigInt64Array.of(-3n, 2n ** 40n)]) {
      const copy = heap.within(values);
      expect(copy).toEqual(values);
      expect(heap.holds(copy)).toBe(true);
      expect(heap.holds(values)).toBe(false);
      expect(heap.within(copy)).toBe(copy);
    }
  });

  it('refuses marks that are released out of order', () => {
    const heap = KernelHeap.create();
    const mark = heap.mark();
    heap.u8(16);
    const inner = heap.mark();
    heap.release(mark);
    expect(() => heap.release(inner)).toThrow(InvariantBrokenError);
  });
});
