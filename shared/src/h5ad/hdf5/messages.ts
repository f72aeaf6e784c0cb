import { UnsupportedDataError } from '../../errors/index.js';
import type { FilterStep, ScalarType } from '../types.js';
import { ByteCursor, UNDEFINED } from './byte-cursor.js';

/** Extent of a dataset. */
export interface Dataspace {
  readonly shape: readonly number[];
  /** `UNDEFINED` where the dimension may grow without bound. */
  readonly maxShape: readonly number[];
}

/** @source HDF5 File Format Specification 4.0, section IV.A.2.b */
export function parseDataspace(body: Uint8Array, path: string): Dataspace {
  const cursor = new ByteCursor(body, `the dataspace of ${path}`);
  const version = cursor.u8();
  const rank = cursor.u8();
  const flags = cursor.u8();
  cursor.skip(version === 1 ? 5 : 1);
  const shape = Array.from({ length: rank }, () => cursor.u64());
  const maxShape = (flags & 1) !== 0 ? Array.from({ length: rank }, () => cursor.u64()) : shape;
  return { shape, maxShape };
}

const CLASS = { integer: 0, float: 1, bitfield: 4, enumeration: 8 } as const;
/** Width of the exponent of the IEEE formats, by size in bytes: tells float16 from bfloat16. */
const IEEE_EXPONENT_BITS: Readonly<Record<number, number>> = { 2: 5, 4: 8, 8: 11 };

/**
 * @throws UnsupportedDataError for anything but whole numbers, IEEE floats and booleans of 1, 2, 4 or 8 bytes
 * @source HDF5 File Format Specification 4.0, section IV.A.2.d
 */
export function parseScalarType(body: Uint8Array, path: string): ScalarType {
  const cursor = new ByteCursor(body, `the type of ${path}`);
  const typeClass = cursor.u8() & 15;
  const flags = cursor.unsigned(3);
  const bytes = cursor.u32();
  const refuse = (what: string): UnsupportedDataError =>
    new UnsupportedDataError(`${path} holds ${what}`, {
      hint: 'convert it to float32 with anndata first',
      details: { path },
    });
  if (bytes !== 1 && bytes !== 2 && bytes !== 4 && bytes !== 8) throw refuse(`numbers of ${bytes} bytes`);
  const littleEndian = (flags & 1) === 0;
  switch (typeClass) {
    case CLASS.integer:
    case CLASS.bitfield:
      return { kind: typeClass === CLASS.integer && (flags & 8) !== 0 ? 'int' : 'uint', bytes, littleEndian };
    case CLASS.float: {
      cursor.skip(5); // bit offset, precision, exponent location
      if ((flags & 0x40) !== 0 || cursor.u8() !== IEEE_EXPONENT_BITS[bytes]) throw refuse('floats that are not IEEE');
      return { kind: 'float', bytes, littleEndian };
    }
    case CLASS.enumeration:
      if (bytes === 1) return { kind: 'bool', bytes, littleEndian };
      throw refuse('an enumeration');
    default:
      throw refuse('something other than numbers');
  }
}

/** Names for messages to people. @source the registry of filter plugins of The HDF Group */
const FILTER_NAMES: Readonly<Record<number, string>> = {
  1: 'gzip',
  2: 'shuffle',
  3: 'fletcher32',
  4: 'szip',
  5: 'nbit',
  6: 'scaleoffset',
  307: 'bzip2',
  32000: 'lzf',
  32001: 'blosc',
  32004: 'lz4',
  32008: 'bitshuffle',
  32013: 'zfp',
  32015: 'zstd',
  32026: 'blosc2',
};

/** What people call a filter; "filter-<id>" when it is not a well-known one. */
export const filterName = (id: number): string => FILTER_NAMES[id] ?? `filter-${id}`;

/** @source HDF5 File Format Specification 4.0, section IV.A.2.l */
export function parseFilters(body: Uint8Array, path: string): FilterStep[] {
  const cursor = new ByteCursor(body, `the filters of ${path}`);
  const version = cursor.u8();
  const count = cursor.u8();
  if (version === 1) cursor.skip(6);
  return Array.from({ length: count }, () => {
    const id = cursor.u16();
    const nameBytes = version === 1 || id >= 256 ? cursor.u16() : 0;
    cursor.skip(2); // flags: whether the filter may be left out matters to writers only
    const parameterCount = cursor.u16();
    cursor.skip(version === 1 ? Math.ceil(nameBytes / 8) * 8 : nameBytes);
    const parameters = Array.from({ length: parameterCount }, () => cursor.u32());
    if (version === 1 && parameterCount % 2 === 1) cursor.skip(4);
    return { id, name: filterName(id), parameters };
  });
}

/**
 * @param old - the message is of the type that HDF5 1.4 wrote
 * @returns the bytes of one element, null when it is zero or undefined
 * @source HDF5 File Format Specification 4.0, sections IV.A.2.e and f
 */
export function parseFillValue(body: Uint8Array, old: boolean, path: string): Uint8Array | null {
  const cursor = new ByteCursor(body, `the fill value of ${path}`);
  if (!old) {
    const version = cursor.u8();
    if (version === 3) {
      if ((cursor.u8() & 0x20) === 0) return null;
    } else {
      cursor.skip(2);
      if (cursor.u8() === 0) return null;
    }
  }
  const length = cursor.u32();
  if (length === 0 || length > cursor.remaining) return null;
  const value = cursor.slice(length);
  return value.every((byte) => byte === 0) ? null : value.slice();
}

/** How the chunks of a dataset are found. */
export interface ChunkIndexLocation {
  readonly kind: 'btree1' | 'single' | 'implicit' | 'fixed-array' | 'extensible-array' | 'btree2';
  /** `UNDEFINED` when no chunk has been written. */
  readonly address: number;
  readonly chunkShape: readonly number[];
  readonly elementBytes: number;
  /** Chunks that reach beyond the edge are stored without going through the filters. */
  readonly edgeChunksUnfiltered: boolean;
  /** Of `single` with filters only. */
  readonly single: { readonly bytes: number; readonly mask: number } | null;
}

export type LayoutMessage =
  | { readonly kind: 'compact'; readonly bytes: Uint8Array }
  | { readonly kind: 'contiguous'; readonly address: number }
  | { readonly kind: 'chunked'; readonly index: ChunkIndexLocation };

/**
 * @throws UnsupportedDataError for virtual datasets
 * @source HDF5 File Format Specification 4.0, section IV.A.2.i
 */
export function parseLayout(body: Uint8Array, path: string): LayoutMessage {
  const cursor = new ByteCursor(body, `the layout of ${path}`);
  const version = cursor.u8();
  if (version < 3) return parseOldLayout(cursor);
  if (version > 5) throw cursor.corrupt(`is of unknown version ${version}`);
  const layoutClass = cursor.u8();
  if (layoutClass === 0) return { kind: 'compact', bytes: cursor.slice(cursor.u16()).slice() };
  if (layoutClass === 1) return { kind: 'contiguous', address: cursor.u64() };
  if (layoutClass !== 2) {
    throw valuesElsewhere(path);
  }
  return { kind: 'chunked', index: version === 3 ? parseBtree1Location(cursor) : parseIndexLocation(cursor) };
}

/** For virtual datasets and external storage. */
export const valuesElsewhere = (path: string): UnsupportedDataError =>
  new UnsupportedDataError(`the values of ${path} lie in other files`, {
    hint: 'read and write the file once with anndata',
    details: { path },
  });

function parseOldLayout(cursor: ByteCursor): LayoutMessage {
  const rank = cursor.u8();
  const layoutClass = cursor.u8();
  cursor.skip(5);
  const address = layoutClass === 0 ? UNDEFINED : cursor.u64();
  const dimensions = Array.from({ length: rank }, () => cursor.u32());
  if (layoutClass === 0) return { kind: 'compact', bytes: cursor.slice(cursor.u32()).slice() };
  if (layoutClass === 1) return { kind: 'contiguous', address };
  return { kind: 'chunked', index: btree1At(address, dimensions) };
}

function parseBtree1Location(cursor: ByteCursor): ChunkIndexLocation {
  const rank = cursor.u8();
  const address = cursor.u64();
  return btree1At(
    address,
    Array.from({ length: rank }, () => cursor.u32()),
  );
}

/** The dimensions of a chunk are followed by the size of an element, as if that were one more dimension. */
function btree1At(address: number, dimensions: readonly number[]): ChunkIndexLocation {
  return {
    kind: 'btree1',
    address,
    chunkShape: dimensions.slice(0, -1),
    elementBytes: dimensions[dimensions.length - 1] ?? 0,
    edgeChunksUnfiltered: false,
    single: null,
  };
}

function parseIndexLocation(cursor: ByteCursor): ChunkIndexLocation {
  const flags = cursor.u8();
  const rank = cursor.u8();
  const width = cursor.u8();
  const dimensions = Array.from({ length: rank }, () => cursor.unsigned(width));
  const kinds = ['single', 'implicit', 'fixed-array', 'extensible-array', 'btree2'] as const;
  const kind = kinds[cursor.u8() - 1];
  if (kind === undefined) throw cursor.corrupt('names an unknown chunk index');
  const single = kind === 'single' && (flags & 2) !== 0 ? { bytes: cursor.u64(), mask: cursor.u32() } : null;
  // Creation parameters: the index's own header repeats them.
  cursor.skip({ single: 0, implicit: 0, 'fixed-array': 1, 'extensible-array': 5, btree2: 6 }[kind]);
  return {
    kind,
    address: cursor.u64(),
    chunkShape: dimensions.slice(0, -1),
    elementBytes: dimensions[dimensions.length - 1] ?? 0,
    edgeChunksUnfiltered: (flags & 1) !== 0,
    single,
  };
}
