import { readFileSync } from 'node:fs';
import { InvariantBrokenError, ResourceExhaustedError, toShardexError } from '../errors/index.js';
import type { KernelExports } from './kernel-exports.js';

const PAGE_BYTES = 65_536;
/** 32-bit addresses: WebAssembly memory ends at 4 GiB. */
const ADDRESSABLE_BYTES = 4 * 1024 ** 3;
/** 16 bytes, one SIMD vector. */
const ALIGNMENT = 16;
/** Growing in steps keeps the number of system calls small; pages that are never touched cost nothing. */
const GROWTH_PAGES = 256;

interface TypedArrayConstructor<View> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): View;
}

let compiled: WebAssembly.Module | undefined;

const kernelModule = (): WebAssembly.Module => {
  if (compiled !== undefined) return compiled;
  // Two folders up from both src/kernels and dist/kernels.
  const url = new URL('../../wasm/kernels.wasm', import.meta.url);
  try {
    compiled = new WebAssembly.Module(readFileSync(url));
  } catch (error) {
    throw new InvariantBrokenError('the kernels are not built', {
      cause: toShardexError(error, 'reading kernels.wasm'),
      hint: 'run npm run build:kernels',
    });
  }
  return compiled;
};

/**
 * The memory of the WebAssembly kernels and the arrays in it.
 *
 * Kernels take addresses, so whatever they touch has to be allocated here. Allocation is a stack: `mark` it, allocate,
 * and `release` the mark to give everything after it back at once; there is no freeing of single arrays. The memory is
 * a shared `WebAssembly.Memory`, whose views stay valid when it grows. One heap serves one thread.
 */
export class KernelHeap {
  readonly exports: KernelExports;
  private readonly memory: WebAssembly.Memory;
  private readonly base: number;
  private top: number;
  /** Bytes above this were never handed out and are still zero. */
  private touched: number;
  /** The memory's buffers, of which growing makes a new one while views of those before stay valid. */
  private readonly buffers = new WeakSet<ArrayBufferLike>();

  private constructor(private readonly maximumBytes: number) {
    const maximum = Math.floor(maximumBytes / PAGE_BYTES);
    this.memory = new WebAssembly.Memory({ initial: 1, maximum, shared: true });
    const abort = (): never => {
      throw new InvariantBrokenError('a kernel aborted');
    };
    const instance = new WebAssembly.Instance(kernelModule(), { env: { memory: this.memory, abort } });
    this.exports = instance.exports as unknown as KernelExports;
    this.base = align(this.exports.heapBase() >>> 0);
    this.top = this.base;
    this.touched = this.base;
  }

  /**
   * @param maximumBytes - the heap never grows beyond this; at most 4 GiB, the default
   * @throws ResourceExhaustedError when the address space cannot be reserved
   */
  static create(maximumBytes = ADDRESSABLE_BYTES): KernelHeap {
    const bounded = Math.min(Math.max(maximumBytes, 2 * PAGE_BYTES), ADDRESSABLE_BYTES);
    try {
      return new KernelHeap(bounded);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new ResourceExhaustedError('the kernels cannot reserve their memory', {
        cause: error,
        hint: 'lower the memory limit of this worker or raise the limit of the container',
        details: { maximumBytes: bounded },
      });
    }
  }

  /** Bytes allocated now, the module's constant tables included. */
  get bytesInUse(): number {
    return this.top;
  }

  /** Bytes that can still be allocated. */
  get bytesAvailable(): number {
    return this.maximumBytes - this.top;
  }

  /** A zeroed array of n float64, aligned to 16 bytes; the same for the other element types below. */
  f64(n: number): Float64Array {
    return this.allocate(Float64Array, n);
  }
  f32(n: number): Float32Array {
    return this.allocate(Float32Array, n);
  }
  u32(n: number): Uint32Array {
    return this.allocate(Uint32Array, n);
  }
  i32(n: number): Int32Array {
    return this.allocate(Int32Array, n);
  }
  u8(n: number): Uint8Array {
    return this.allocate(Uint8Array, n);
  }
  i64(n: number): BigInt64Array {
    return this.allocate(BigInt64Array, n);
  }

  /** An array whose content is whatever lay there before: for what is written before it is read. */
  uninitialised<View extends { fill(value: never): View }>(constructor: TypedArrayConstructor<View>, n: number): View {
    return this.allocate(constructor, n, false);
  }

  /** A copy of `values` in the heap. */
  copyF64(values: ArrayLike<number>): Float64Array {
    const copy = this.allocate(Float64Array, values.length, false);
    copy.set(values);
    return copy;
  }
  /** A copy of `values` in the heap. */
  copyU32(values: ArrayLike<number>): Uint32Array {
    const copy = this.allocate(Uint32Array, values.length, false);
    copy.set(values);
    return copy;
  }

  /** `values` themselves where they lie in the heap, and a copy of them otherwise. */
  within<View extends Float64Array | Uint32Array | BigInt64Array>(values: View): View {
    if (this.holds(values)) return values;
    // The constructor of one of them stands for that of whichever it is.
    const constructor = values.constructor as TypedArrayConstructor<Float64Array>;
    const copy = this.allocate(constructor, values.length, false) as unknown as View;
    copy.set(values as never);
    return copy;
  }

  /** Whether an array lies in the heap. */
  holds({ buffer }: { readonly buffer: ArrayBufferLike }): boolean {
    return this.buffers.has(buffer);
  }

  /**
   * Sets every element of arrays to 0: several times faster than their `fill`.
   *
   * @throws InvariantBrokenError for an array outside the heap
   */
  zero(...arrays: readonly ArrayBufferView[]): void {
    for (const array of arrays) {
      if (!this.holds(array)) throw new InvariantBrokenError('an array to be zeroed is not in the heap');
      this.exports.zeroBytes(array.byteOffset, array.byteLength);
    }
  }

  /** The present top of the stack, for `release`. */
  mark(): number {
    return this.top;
  }

  /**
   * Gives back everything allocated since `mark`; its arrays must not be used any more.
   *
   * @throws InvariantBrokenError when the mark is not below the top: marks are released in reverse order
   */
  release(mark: number): void {
    if (mark > this.top || mark < this.base) {
      throw new InvariantBrokenError('kernel heap marks were released out of order', {
        details: { mark, top: this.top },
      });
    }
    this.top = mark;
  }

  /** Gives back everything: no array in the heap may be used any more. */
  clear(): void {
    this.top = this.base;
  }

  /** Runs `body` and gives back everything it allocated, also when it throws. */
  scoped<Result>(body: () => Result): Result {
    const mark = this.mark();
    try {
      return body();
    } finally {
      this.release(mark);
    }
  }

  private allocate<View extends { fill(value: never): View }>(
    constructor: TypedArrayConstructor<View>,
    n: number,
    zeroed = true,
  ): View {
    const begin = this.top;
    const end = align(begin + n * constructor.BYTES_PER_ELEMENT);
    this.reserve(end);
    this.top = end;
    if (zeroed && begin < this.touched) {
      this.exports.zeroBytes(begin, Math.min(end, this.touched) - begin);
    }
    this.touched = Math.max(this.touched, end);
    this.buffers.add(this.memory.buffer);
    return new constructor(this.memory.buffer, begin, n);
  }

  private reserve(end: number): void {
    const missing = end - this.memory.buffer.byteLength;
    if (missing <= 0) return;
    const room = Math.floor(this.maximumBytes / PAGE_BYTES) - this.memory.buffer.byteLength / PAGE_BYTES;
    const needed = Math.ceil(missing / PAGE_BYTES);
    if (needed > room) throw this.full(end);
    try {
      this.memory.grow(Math.min(room, Math.max(needed, GROWTH_PAGES)));
    } catch (error) {
      throw this.full(end, error);
    }
  }

  private full(end: number, cause?: unknown): ResourceExhaustedError {
    return new ResourceExhaustedError('the kernel heap is full', {
      cause,
      hint: 'give the worker more memory or make the shards smaller',
      details: { requestedBytes: end, maximumBytes: this.maximumBytes },
    });
  }
}

const align = (address: number): number => Math.ceil(address / ALIGNMENT) * ALIGNMENT;
