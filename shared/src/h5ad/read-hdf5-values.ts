import { UnsupportedDataError } from '../errors/index.js';
import { float16ToNumber } from '../matrix/index.js';
import type { H5Module, Hdf5Metadata } from './h5wasm-module.js';

/** Values of a small dataset or an attribute, flattened. */
export type Hdf5Values =
  | { readonly kind: 'strings'; readonly values: string[] }
  | { readonly kind: 'integers'; readonly values: Float64Array | BigInt64Array | BigUint64Array }
  | { readonly kind: 'floats'; readonly values: Float64Array }
  | { readonly kind: 'booleans'; readonly values: Uint8Array }
  | { readonly kind: 'references'; readonly bytes: Uint8Array };

/**
 * Turns what HDF5 put in memory (little-endian, whatever the file's order) into JavaScript values.
 *
 * @throws UnsupportedDataError for compound types and the like
 */
export function decodeValues(module: H5Module, metadata: Hdf5Metadata, bytes: Uint8Array): Hdf5Values {
  const classes = module.H5T_class_t;
  switch (metadata.type) {
    case classes.H5T_STRING.value:
      return {
        kind: 'strings',
        values: metadata.vlen ? variableStrings(module, bytes) : fixedStrings(metadata, bytes),
      };
    case classes.H5T_INTEGER.value:
      return { kind: 'integers', values: integers(metadata, bytes) };
    case classes.H5T_FLOAT.value:
      return { kind: 'floats', values: floats(metadata, bytes) };
    case classes.H5T_ENUM.value:
      if (metadata.size === 1) return { kind: 'booleans', values: bytes };
      break;
    case classes.H5T_REFERENCE.value:
      return { kind: 'references', bytes };
  }
  throw new UnsupportedDataError('this HDF5 type is not read', { hint: 'read and write the file once with anndata' });
}

function variableStrings(module: H5Module, bytes: Uint8Array): string[] {
  const pointers = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const values = new Array<string>(pointers.length);
  // ASCII is UTF-8 too; a null pointer is an empty string.
  for (let i = 0; i < pointers.length; i++) values[i] = pointers[i] === 0 ? '' : module.UTF8ToString(pointers[i]);
  return values;
}

function fixedStrings(metadata: Hdf5Metadata, bytes: Uint8Array): string[] {
  const decoder = new TextDecoder();
  const { size } = metadata;
  const padding = metadata.strpad === 2 ? 0x20 : 0; // space-padded, or ended or filled by zeros
  return Array.from({ length: bytes.length / size }, (_, i) => {
    const field = bytes.subarray(i * size, (i + 1) * size);
    const zero = field.indexOf(0);
    let end = zero < 0 ? size : zero;
    while (padding !== 0 && end > 0 && field[end - 1] === padding) end--;
    return decoder.decode(field.subarray(0, end));
  });
}

function integers(metadata: Hdf5Metadata, bytes: Uint8Array): Float64Array | BigInt64Array | BigUint64Array {
  const { buffer } = bytes;
  const signed = metadata.signed;
  switch (metadata.size) {
    case 1:
      return new Float64Array(signed ? new Int8Array(buffer) : bytes);
    case 2:
      return new Float64Array(signed ? new Int16Array(buffer) : new Uint16Array(buffer));
    case 4:
      return new Float64Array(signed ? new Int32Array(buffer) : new Uint32Array(buffer));
    case 8:
      return exactDoubles(signed ? new BigInt64Array(buffer) : new BigUint64Array(buffer));
    default:
      throw new UnsupportedDataError(`whole numbers of ${metadata.size} bytes are not read`);
  }
}

/** The same numbers as doubles where that loses nothing. */
function exactDoubles(values: BigInt64Array | BigUint64Array): Float64Array | BigInt64Array | BigUint64Array {
  const doubles = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    doubles[i] = Number(values[i]);
    if (!Number.isSafeInteger(doubles[i])) return values;
  }
  return doubles;
}

function floats(metadata: Hdf5Metadata, bytes: Uint8Array): Float64Array {
  switch (metadata.size) {
    case 2:
      return Float64Array.from(new Uint16Array(bytes.buffer), float16ToNumber);
    case 4:
      return new Float64Array(new Float32Array(bytes.buffer));
    case 8:
      return new Float64Array(bytes.buffer);
    default:
      throw new UnsupportedDataError(`floats of ${metadata.size} bytes are not read`);
  }
}
