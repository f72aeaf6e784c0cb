import { float16ToNumber, type ValueArray, type ValueArrayConstructor } from '../../matrix/index.js';
import type { ScalarType } from '../types.js';

/** What elements become in memory: values or indices. */
export type ElementArray = Float32Array | Float64Array | Uint32Array;
/** A 64-bit index that does not fit 32 bits becomes this, which no matrix has as a column. */
const BEYOND_U32 = 0xffffffff;
const TWO_TO_32 = 2 ** 32;

/** What values of `type` are held in: see `CsrBlock.values`. */
export function valueArrayOf(type: ScalarType): ValueArrayConstructor {
  const fitsSingle = type.kind === 'float' ? type.bytes === 4 : type.bytes <= 2;
  return fitsSingle ? Float32Array : Float64Array;
}

/** A fresh array of that type. */
export const newValueArray = (type: ScalarType, length: number): ValueArray => new (valueArrayOf(type))(length);

/** Whether the bytes of `type` (little-endian) can be used as elements of `array` as they are. */
export function isSameRepresentation(type: ScalarType, array: ElementArray): boolean {
  if (array instanceof Uint32Array) return type.bytes === 4 && (type.kind === 'int' || type.kind === 'uint');
  return type.kind === 'float' && type.bytes === array.BYTES_PER_ELEMENT;
}

/** Exchanges the bytes of every element in place. */
export function swapBytes(bytes: Uint8Array, width: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (width === 2) buffer.swap16();
  else if (width === 4) buffer.swap32();
  else if (width === 8) buffer.swap64();
}

/** Copies little-endian elements of a stored type out of a fixed buffer into arrays for computing. */
export class ElementConverter {
  private readonly copyElements: (from: number, count: number, target: ElementArray, at: number) => void;

  /**
   * @param buffer - holds the stored elements whenever `copy` is called; at least as long as any chunk
   */
  constructor(type: ScalarType, buffer: ArrayBuffer) {
    this.copyElements = copierFor(type, buffer);
  }

  /** Converts elements [from, from + count) of the buffer to `target[at …]`. */
  copy(from: number, count: number, target: ElementArray, at: number): void {
    this.copyElements(from, count, target, at);
  }
}

type Copier = (from: number, count: number, target: ElementArray, at: number) => void;

function copierFor({ kind, bytes }: ScalarType, buffer: ArrayBuffer): Copier {
  if (kind === 'float') {
    if (bytes === 2) return halfCopier(new Uint16Array(buffer));
    return plainCopier(bytes === 4 ? new Float32Array(buffer) : new Float64Array(buffer));
  }
  if (bytes === 8) return longCopier(new Uint32Array(buffer), kind === 'int');
  const signed = kind === 'int';
  if (bytes === 4) return plainCopier(signed ? new Int32Array(buffer) : new Uint32Array(buffer));
  if (bytes === 2) return plainCopier(signed ? new Int16Array(buffer) : new Uint16Array(buffer));
  return plainCopier(signed ? new Int8Array(buffer) : new Uint8Array(buffer));
}

/** Typed arrays convert on assignment; a negative index wraps to one that is out of range, which is caught later. */
const plainCopier =
  (source: ArrayLike<number> & { subarray(begin: number, end: number): ArrayLike<number> }): Copier =>
  (from, count, target, at) => {
    target.set(source.subarray(from, from + count), at);
  };

const halfCopier =
  (source: Uint16Array): Copier =>
  (from, count, target, at) => {
    for (let i = 0; i < count; i++) target[at + i] = float16ToNumber(source[from + i]);
  };

/** 64-bit whole numbers as two words: no BigInt. A value is rounded once, to the nearest double. */
const longCopier =
  (words: Uint32Array, signed: boolean): Copier =>
  (from, count, target, at) => {
    const isIndex = target instanceof Uint32Array;
    for (let i = 0; i < count; i++) {
      const low = words[2 * (from + i)];
      const high = words[2 * (from + i) + 1];
      if (isIndex) target[at + i] = high === 0 ? low : BEYOND_U32;
      else target[at + i] = (signed ? high | 0 : high) * TWO_TO_32 + low;
    }
  };
