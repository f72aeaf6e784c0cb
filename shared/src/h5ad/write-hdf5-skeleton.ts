import {
  InvalidInputError,
  InvariantBrokenError,
  ResourceExhaustedError,
  UnsupportedDataError,
  type ShardexError,
} from '../errors/index.js';
import { unifyNans } from '../matrix/index.js';
import { hasDiagnostics, takeDiagnostics } from './h5wasm-module.js';
import { loadHdf5Module, type CompoundMember, type Hdf5Module, type WriteMetadata } from './write-hdf5-module.js';
import { fitRecord } from './write-record-limit.js';
import type { MatrixDtype, NumericArray } from './write-types.js';

/** Numbers of HDF5's datatype classes. @source HDF5 File Format Specification 4.0, section IV.A.2.d */
const INTEGER = 0;
const FLOAT = 1;
const STRING = 3;
const COMPOUND = 6;

const UNLIMITED = 2n ** 64n - 1n;
const GZIP_FILTER = 1;
/** In WebAssembly's memory a variable-length string is a 32-bit pointer. */
const POINTER_BYTES = 4;

interface ElementType {
  readonly type: number;
  readonly size: number;
  readonly signed: boolean;
}
const TYPES: Readonly<Record<MatrixDtype | 'i64', ElementType>> = {
  f32: { type: FLOAT, size: 4, signed: true },
  f64: { type: FLOAT, size: 8, signed: true },
  i32: { type: INTEGER, size: 4, signed: true },
  i64: { type: INTEGER, size: 8, signed: true },
  u8: { type: INTEGER, size: 1, signed: false },
};
export type BulkDtype = keyof typeof TYPES;
export const bytesPerElement = (dtype: BulkDtype): number => TYPES[dtype].size;

const VLEN_STRING = { type: STRING, size: POINTER_BYTES, signed: false, vlen: true, cset: 1, strpad: 0 };

/** The bytes of an array as they are written: its NaNs get the same bits. */
function bytesOf(values: NumericArray | Buffer): Uint8Array {
  unifyNans(values);
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

const elementTypeOf = (array: NumericArray): ElementType => {
  const float = array instanceof Float64Array || array instanceof Float32Array;
  const unsigned = array instanceof Uint8Array || array instanceof Uint16Array || array instanceof Uint32Array;
  return { type: float ? FLOAT : INTEGER, size: array.BYTES_PER_ELEMENT, signed: !unsigned };
};

/**
 * The small objects of an HDF5 file, written with h5wasm: groups, attributes, strings, short arrays, compounds, and
 * place-holders for bulk datasets whose bytes are appended later.
 *
 * h5wasm reports most failures of the HDF5 library as success, so after every call we ask whether the library has
 * complained and whether the object is there.
 * `libver=earliest` is asked for on purpose: superblock 0 and version 1 headers carry no checksums, so that lengths and
 * addresses can be patched in place, and every reader of the last 25 years understands them.
 */
export class Hdf5Skeleton {
  private readonly datasetPaths: string[] = [];

  private constructor(
    private readonly module: Hdf5Module,
    private readonly fileId: bigint,
    private readonly displayPath: string,
  ) {}

  /**
   * @param path - an existing file that is overwritten
   * @param displayPath - how error messages call it
   */
  static async create(path: string, displayPath: string): Promise<Hdf5Skeleton> {
    return Hdf5Skeleton.open(await loadHdf5Module(), 'H5F_ACC_TRUNC', path, displayPath);
  }

  /** Opens a file to add to it, and to replace small values. */
  static async reopen(path: string, displayPath: string): Promise<Hdf5Skeleton> {
    return Hdf5Skeleton.open(await loadHdf5Module(), 'H5F_ACC_RDWR', path, displayPath);
  }

  private static open(
    module: Hdf5Module,
    mode: 'H5F_ACC_TRUNC' | 'H5F_ACC_RDWR',
    path: string,
    displayPath: string,
  ): Hdf5Skeleton {
    takeDiagnostics();
    const fileId = module.open(path, module[mode], false, module.H5F_LIBVER_EARLIEST, module.H5F_LIBVER_LATEST);
    // A refusal is an identifier below zero, seen through 64 bits as unsigned or signed.
    if (BigInt.asIntN(64, fileId) < 0n) {
      throw failure(displayPath, 'the file');
    }
    return new Hdf5Skeleton(module, fileId, displayPath);
  }

  group(path: string): void {
    requireName(path);
    this.check(this.module.create_group(this.fileId, path, false), path);
    this.requireType(path, this.module.H5G_GROUP);
  }

  stringAttribute(path: string, name: string, text: string): void {
    this.stringAttributeOfShape(path, name, [text], []);
  }

  stringArrayAttribute(path: string, name: string, texts: readonly string[]): void {
    // h5wasm drops an empty string array silently; anndata itself writes an empty float64 array.
    if (texts.length === 0) this.numericAttribute(path, name, new Float64Array(0), [0]);
    else this.stringAttributeOfShape(path, name, texts, [texts.length]);
  }

  numericAttribute(path: string, name: string, values: NumericArray, shape: readonly number[]): void {
    this.withHeap(values, (pointer) => {
      const metadata = { ...common(shape), ...elementTypeOf(values) };
      this.check(this.module.create_attribute(this.fileId, path, name, pointer, metadata), `${path}@${name}`);
    });
    this.requireAttribute(path, name);
  }

  numeric(path: string, values: NumericArray, shape: readonly number[]): void {
    this.withHeap(values, (pointer) => this.dataset(path, pointer, { ...common(shape), ...elementTypeOf(values) }));
  }

  has(path: string): boolean {
    const { H5G_GROUP, H5G_DATASET } = this.module;
    const type = this.typeOf(path);
    takeDiagnostics();
    return type === H5G_GROUP || type === H5G_DATASET;
  }

  /** @throws UnsupportedDataError when the dataset has another type or shape */
  replaceNumeric(path: string, values: NumericArray, shape: readonly number[]): void {
    this.requireLayout(path, elementTypeOf(values), shape);
    this.withHeap(values, (pointer) => this.overwrite(path, pointer));
  }

  /** @throws UnsupportedDataError when the dataset is no single string of variable length */
  replaceString(path: string, text: string): void {
    this.requireLayout(path, VLEN_STRING, []);
    const interned = new Map<string, number>();
    try {
      const pointers = new Uint32Array([this.intern(text, interned, path)]);
      this.withHeap(pointers, (pointer) => this.overwrite(path, pointer));
    } finally {
      for (const pointer of interned.values()) this.module._free(pointer);
    }
  }

  replaceStringArrayAttribute(path: string, name: string, texts: readonly string[]): void {
    this.check(this.module.delete_attribute(this.fileId, path, name), `${path}@${name}`);
    this.stringArrayAttribute(path, name, texts);
  }

  /**
   * A contiguous dataset that is there already: its rows can be overwritten in their place.
   *
   * @throws UnsupportedDataError when it has another type, shape or layout
   */
  existing(path: string, dtype: BulkDtype, shape: readonly number[]): void {
    this.requireLayout(path, TYPES[dtype], shape);
    this.datasetPaths.push(path);
  }

  /** Variable-length UTF-8; `shape` is empty for a single string. */
  strings(path: string, values: readonly string[], shape: readonly number[]): void {
    values.forEach((text) => requireNoNul(text, path));
    // One after the other in the library's memory: h5wasm's own way takes an object a string, ten times as long.
    const texts = Buffer.from(`${values.join('\0')}\0`, 'utf8');
    const begin = this.allocate(texts.length);
    try {
      this.module.HEAPU8.set(texts, begin);
      const pointers = new Uint32Array(values.length);
      for (let i = 0, at = 0; i < pointers.length; i++, at = texts.indexOf(0, at) + 1) pointers[i] = begin + at;
      this.withHeap(pointers, (pointer) => this.dataset(path, pointer, { ...common(shape), ...VLEN_STRING }));
    } finally {
      this.module._free(begin);
    }
  }

  /** A contiguous dataset of one element; its dimensions and place are patched when the bytes are known. */
  contiguousPlaceholder(path: string, dtype: BulkDtype, rank: number): void {
    const shape = Array.from({ length: rank }, () => 1);
    this.withHeap(new Uint8Array(TYPES[dtype].size), (pointer) =>
      this.dataset(path, pointer, { ...common(shape), ...TYPES[dtype] }),
    );
  }

  /** An empty, growing, compressed dataset of one dimension; its length and chunk index are patched. */
  chunkedPlaceholder(path: string, dtype: BulkDtype, chunkElements: number, gzipLevel: number): void {
    this.withHeap(new Uint8Array(0), (pointer) =>
      this.dataset(path, pointer, {
        ...common([0]),
        ...TYPES[dtype],
        maxshape: [UNLIMITED],
        chunks: [BigInt(chunkElements)],
        compression: GZIP_FILTER,
        compression_opts: [gzipLevel],
      }),
    );
  }

  /**
   * One compound of equally long fields.
   *
   * @throws UnsupportedDataError when there are more fields than an object header can describe, about 900; h5py and
   *   with it scanpy have the same limit
   */
  compound(path: string, fields: Readonly<Record<string, readonly string[] | Float32Array | Float64Array>>): void {
    const names = Object.keys(fields);
    const columns = names.map((name) => fields[name]);
    const nRows = columns[0]?.length ?? 0;
    this.requireFieldsFit(path, names);
    let rowBytes = 0;
    const members = columns.map((column, i): CompoundMember => {
      const type = isNumeric(column) ? { vlen: false, ...elementTypeOf(column) } : VLEN_STRING;
      const member = { name: names[i], offset: rowBytes, littleEndian: true, shape: [], ...type };
      rowBytes += type.size;
      return member;
    });
    const rows = Buffer.alloc(rowBytes * nRows);
    const interned = new Map<string, number>();
    try {
      columns.forEach((column, i) => {
        const { offset, size } = members[i];
        const bytes = isNumeric(column) ? bytesOf(column) : null;
        for (let row = 0, at = offset; row < nRows; row++, at += rowBytes) {
          if (bytes !== null) rows.set(bytes.subarray(row * size, (row + 1) * size), at);
          else rows.writeUInt32LE(this.intern(column[row] as string, interned, path), at);
        }
      });
      this.withHeap(rows, (pointer) =>
        this.dataset(path, pointer, {
          ...common([nRows]),
          type: COMPOUND,
          size: rowBytes,
          signed: false,
          compound_type: { members, nmembers: members.length },
        }),
      );
    } finally {
      for (const pointer of interned.values()) this.module._free(pointer);
    }
  }

  /**
   * Closes the file.
   *
   * @returns the address of every dataset's object header, by path
   */
  close(): Map<string, number> {
    // An object reference is the address of the object's header: no need to parse groups to find it again.
    const addresses = new Map<string, number>();
    for (const path of this.datasetPaths) {
      const reference = this.module.create_object_reference(this.fileId, path);
      addresses.set(path, Number(Buffer.from(reference).readBigUInt64LE(0)));
    }
    this.check(this.module.close_file(this.fileId), 'the file');
    return addresses;
  }

  /**
   * Lets go of the file after a failure; what it holds no longer matters.
   *
   * @returns the reason: a full disk can make the library abort without naming it
   */
  abandon(error: unknown): unknown {
    const printed = takeDiagnostics();
    try {
      this.module.close_file(this.fileId);
    } catch {
      // Closing writes what is left, which fails for the same reason.
    }
    takeDiagnostics();
    return saysDiskIsFull(printed) ? failure(this.displayPath, 'the file', printed) : error;
  }

  private stringAttributeOfShape(path: string, name: string, texts: readonly string[], shape: readonly number[]): void {
    texts.forEach((text) => requireNoNul(text, `${path}@${name}`));
    const metadata = { ...common(shape), ...VLEN_STRING };
    const status = this.module.create_vlen_str_attribute(this.fileId, path, name, texts, metadata);
    this.check(status, `${path}@${name}`);
    this.requireAttribute(path, name);
  }

  private dataset(path: string, pointer: bigint, metadata: WriteMetadata): void {
    requireName(path);
    this.check(this.module.create_dataset(this.fileId, path, pointer, metadata), path);
    this.created(path);
  }

  private created(path: string): void {
    this.requireType(path, this.module.H5G_DATASET);
    this.datasetPaths.push(path);
  }

  private overwrite(path: string, pointer: bigint): void {
    this.check(this.module.set_dataset_data(this.fileId, path, null, null, null, pointer), path);
  }

  private requireLayout(path: string, { type, size, signed }: ElementType, shape: readonly number[]): void {
    const found = this.module.get_dataset_metadata(this.fileId, path);
    const isOfType = found.type === type && found.size === size && (type !== INTEGER || found.signed === signed);
    const isOfShape = found.shape?.join() === shape.join();
    if (isOfType && isOfShape && found.chunks === null) return;
    throw new UnsupportedDataError(`${this.displayPath}: ${path} is not stored as shardex writes it`, {
      hint: 'run "shardex de" again',
      details: { path },
    });
  }

  private withHeap(values: NumericArray | Buffer, body: (pointer: bigint) => void): void {
    const pointer = this.allocate(values.byteLength);
    try {
      this.module.HEAPU8.set(bytesOf(values), pointer);
      body(BigInt(pointer));
    } finally {
      this.module._free(pointer);
    }
  }

  private intern(text: string, interned: Map<string, number>, path: string): number {
    const known = interned.get(text);
    if (known !== undefined) return known;
    requireNoNul(text, path);
    const bytes = Buffer.from(`${text}\0`, 'utf8');
    const pointer = this.allocate(bytes.length);
    this.module.HEAPU8.set(bytes, pointer);
    interned.set(text, pointer);
    return pointer;
  }

  private allocate(bytes: number): number {
    const pointer = this.module._malloc(Math.max(bytes, 1));
    if (pointer !== 0) return pointer;
    throw new ResourceExhaustedError(`writing ${this.displayPath}: HDF5 has no memory for ${bytes} bytes`);
  }

  private requireFieldsFit(path: string, names: readonly string[]): void {
    if (fitRecord(names)) return;
    throw new UnsupportedDataError(`writing ${this.displayPath}: ${path} would have ${names.length} fields`, {
      hint: 'HDF5 describes about 900 fields at most; write fewer groups into it',
      details: { path, fields: names.length },
    });
  }

  private check(status: number, path: string): void {
    if (status < 0 || hasDiagnostics()) throw failure(this.displayPath, path);
  }

  private requireType(path: string, type: number): void {
    if (this.typeOf(path) !== type) throw failure(this.displayPath, path);
  }

  private typeOf(path: string): number | null {
    try {
      return this.module.get_type(this.fileId, path);
    } catch {
      // "name not defined": there is no such object.
      return null;
    }
  }

  private requireAttribute(path: string, name: string): void {
    if (this.module.get_attribute_names(this.fileId, path).includes(name)) return;
    throw failure(this.displayPath, `${path}@${name}`);
  }
}

/** Says why HDF5 did not write something, from what the library printed. */
function failure(displayPath: string, path: string, cause = takeDiagnostics()): ShardexError {
  if (saysDiskIsFull(cause)) {
    return new ResourceExhaustedError(`writing ${displayPath}: the disk is full`, {
      cause,
      hint: 'free some space or choose another place',
      details: { path },
    });
  }
  return new InvariantBrokenError(`writing ${displayPath}: HDF5 did not write ${path}`, {
    cause,
    hint: 'please report this as a bug',
    details: { path },
  });
}

const saysDiskIsFull = (text: string): boolean => /No space left|quota exceeded/i.test(text);

const common = (shape: readonly number[]): Omit<WriteMetadata, 'type' | 'size' | 'signed'> => ({
  vlen: false,
  littleEndian: true,
  shape: shape.map(BigInt),
  maxshape: null,
  chunks: null,
  compression: 0,
  compression_opts: [],
  track_order: false,
});

const isNumeric = (column: readonly string[] | Float32Array | Float64Array): column is Float32Array | Float64Array =>
  ArrayBuffer.isView(column);

function requireNoNul(text: string, path: string): void {
  if (!text.includes('\0')) return;
  throw new InvalidInputError(`a text of ${path} contains a NUL character, which HDF5 strings cannot hold`);
}

function requireName(path: string): void {
  const last = path.slice(path.lastIndexOf('/') + 1);
  if (last !== '' && last !== '.' && last !== '..' && !last.includes('\0')) return;
  throw new InvalidInputError(`"${last}" cannot be the name of an HDF5 object`, { details: { path } });
}
