import { loadH5wasm } from './h5wasm-module.js';

/** Description of a datatype and dataspace, as h5wasm's C++ side reads it. */
export interface WriteMetadata {
  readonly type: number;
  readonly size: number;
  readonly signed: boolean;
  readonly vlen: boolean;
  readonly littleEndian: boolean;
  readonly shape: readonly bigint[];
  readonly maxshape: readonly bigint[] | null;
  readonly chunks: readonly bigint[] | null;
  readonly compression: number;
  readonly compression_opts: readonly number[];
  readonly track_order: boolean;
  /** Character set of strings: 1 is UTF-8. */
  readonly cset?: number;
  readonly strpad?: number;
  readonly compound_type?: { readonly members: readonly CompoundMember[]; readonly nmembers: number };
}

/** A field of a compound; `offset` in bytes from the row's start. */
export interface CompoundMember {
  readonly name: string;
  readonly offset: number;
  readonly type: number;
  readonly size: number;
  readonly signed: boolean;
  readonly vlen: boolean;
  readonly littleEndian: boolean;
  readonly shape: readonly bigint[];
  readonly cset?: number;
  readonly strpad?: number;
}

/** What h5wasm tells of a dataset, as far as writing asks. `shape` is null for no dataspace, `chunks` for no chunks. */
export interface DatasetMetadata {
  readonly type: number;
  readonly size: number;
  readonly signed: boolean;
  readonly vlen: boolean;
  readonly shape: readonly number[] | null;
  readonly chunks: readonly number[] | null;
}

/**
 * The calls of h5wasm's low-level module that writing uses. Its own type declarations import without file extensions,
 * which strict resolution turns into `any`; this states what we rely on. A status below zero is a failure, but zero is
 * no proof of success: see `takeDiagnostics`.
 *
 * @source h5wasm 0.10.3, src/hdf5_util.cc
 */
export interface Hdf5Module {
  readonly HEAPU8: Uint8Array;
  readonly H5F_ACC_TRUNC: number;
  readonly H5F_ACC_RDWR: number;
  readonly H5F_LIBVER_EARLIEST: number;
  readonly H5F_LIBVER_LATEST: number;
  readonly H5G_GROUP: number;
  readonly H5G_DATASET: number;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  open(path: string, mode: number, trackOrder: boolean, lowVersion: number, highVersion: number): bigint;
  close_file(file: bigint): number;
  create_group(file: bigint, path: string, trackOrder: boolean): number;
  create_dataset(file: bigint, path: string, pointer: bigint, metadata: WriteMetadata): number;
  create_attribute(file: bigint, path: string, name: string, pointer: bigint, metadata: WriteMetadata): number;
  create_vlen_str_attribute(
    file: bigint,
    path: string,
    name: string,
    texts: readonly string[],
    metadata: WriteMetadata,
  ): number;
  /** Throws when the path does not exist. */
  get_type(file: bigint, path: string): number;
  get_attribute_names(file: bigint, path: string): string[];
  get_dataset_metadata(file: bigint, path: string): DatasetMetadata;
  /** Overwrites all of a dataset when count, offset and strides are null. */
  set_dataset_data(file: bigint, path: string, count: null, offset: null, strides: null, pointer: bigint): number;
  delete_attribute(file: bigint, path: string, name: string): number;
  /** 8 bytes: the address of the object's header. */
  create_object_reference(file: bigint, path: string): ArrayLike<number>;
}

/** The module, once its WebAssembly is compiled. It is shared by everything in this thread. */
export const loadHdf5Module = async (): Promise<Hdf5Module> => (await loadH5wasm()) as unknown as Hdf5Module;

/** Loads the library, 0.2 s, ahead of the first file this thread writes. */
export const prepareH5adWriting = async (): Promise<void> => void (await loadH5wasm());
