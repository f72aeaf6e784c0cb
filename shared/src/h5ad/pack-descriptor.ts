import { InvariantBrokenError } from '../errors/index.js';
import type { MatrixDescriptor, PackedDescriptor } from './types.js';

type PackedArray = Float64Array | Uint32Array | Uint8Array;

/** Marks, within the JSON, the place of an array by its key. */
const ARRAY_KEY = '$array';

/**
 * Cuts a descriptor into JSON and typed arrays. Keys of the arrays are the paths to them, as "data.layout.offsets", and equal
 * descriptors give equal parts.
 */
export function packMatrixDescriptor(descriptor: MatrixDescriptor): PackedDescriptor {
  const arrays: Record<string, PackedArray> = {};
  const pack = (value: unknown, key: string): unknown => {
    if (value instanceof Float64Array || value instanceof Uint32Array || value instanceof Uint8Array) {
      arrays[key] = value;
      return { [ARRAY_KEY]: key };
    }
    if (Array.isArray(value)) return value.map((item, i) => pack(item, `${key}.${i}`));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, pack(item, key === '' ? name : `${key}.${name}`)]),
    );
  };
  return { json: pack(descriptor, ''), arrays };
}

/** The inverse of `packMatrixDescriptor`; the arrays are used, not copied. */
export function unpackMatrixDescriptor({ json, arrays }: PackedDescriptor): MatrixDescriptor {
  const unpack = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(unpack);
    if (typeof value !== 'object' || value === null) return value;
    if (ARRAY_KEY in value) {
      const array = arrays[String(value[ARRAY_KEY])];
      if (array === undefined) throw new InvariantBrokenError(`a matrix descriptor lacks ${String(value[ARRAY_KEY])}`);
      return array;
    }
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, unpack(item)]));
  };
  return unpack(json) as MatrixDescriptor;
}
