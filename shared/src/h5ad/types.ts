import type { RowArrays } from '../matrix/index.js';

/**
 * What is known of an h5ad file once its metadata has been read, and what a worker needs to read its bulk data.
 *
 * Everything here survives structured clone, so that it can be made in a thread and posted out of it.
 *
 * Functions of this room that produce or consume these types:
 * - `readH5adMetadata(path, request): Promise<H5adMetadata>`, or several requests by `openH5adMetadata(path)`
 * - `readObsColumn(path, name): Promise<ObsColumn>`
 * - `openRowSource(descriptor, byteSource, options?): RowSource`
 * - `readRowOffsets(descriptor, byteSource): Promise<Float64Array>` (validated indptr of a sparse matrix)
 * - `packMatrixDescriptor(descriptor): PackedDescriptor` and `unpackMatrixDescriptor(packed): MatrixDescriptor`
 * - `columnLabels(column): { codes, labels }` (any column as labels)
 */

/** How one element is stored. `bool` is HDF5's one-byte enum FALSE/TRUE. */
export interface ScalarType {
  readonly kind: 'int' | 'uint' | 'float' | 'bool';
  readonly bytes: 1 | 2 | 4 | 8;
  readonly littleEndian: boolean;
}

/** One step of the pipeline every chunk goes through when it is written. */
export interface FilterStep {
  /** As registered with The HDF Group: 1 deflate, 2 shuffle, 3 fletcher32, 32000 lzf, 32001 blosc, … */
  readonly id: number;
  /** "gzip", "shuffle", "blosc", …, or "filter-<id>" when unknown. */
  readonly name: string;
  readonly parameters: readonly number[];
}

/** Where the bytes of a dataset are. All addresses are absolute offsets within the file. */
export type DatasetLayout =
  | {
      readonly kind: 'contiguous';
      /** −1 when nothing was ever written: every element is the fill value. */
      readonly address: number;
    }
  | { readonly kind: 'compact'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'chunked';
      /** Elements a chunk spans in each dimension; chunks at the edge are stored whole. */
      readonly chunkShape: readonly number[];
      /** Address of each chunk, in row-major order of the chunk grid; −1 where the chunk was never written. */
      readonly offsets: Float64Array;
      /** Stored (compressed) bytes of each chunk. */
      readonly sizes: Uint32Array;
      /** Bit i set: step i of the pipeline was skipped for this chunk. */
      readonly masks: Uint32Array;
    };

/** A dataset as a reader that knows nothing of HDF5 needs it. */
export interface DatasetDescriptor {
  /** Within the file, as "X/data". */
  readonly path: string;
  readonly type: ScalarType;
  readonly shape: readonly number[];
  /** In the order of writing; reading undoes them from the last to the first. */
  readonly filters: readonly FilterStep[];
  readonly layout: DatasetLayout;
  /** One element's bytes as stored; absent means zeros. */
  readonly fillValue: Uint8Array | null;
}

/** A sparse matrix of the file. For `csr` `indptr` runs over rows (cells), for `csc` over columns (genes). */
export interface SparseMatrixDescriptor {
  readonly kind: 'csr' | 'csc';
  /** "X", "layers/<name>" or "raw/X". */
  readonly path: string;
  readonly nRows: number;
  readonly nColumns: number;
  readonly nonzeroCount: number;
  readonly data: DatasetDescriptor;
  readonly indices: DatasetDescriptor;
  readonly indptr: DatasetDescriptor;
}

/** A dense matrix of the file, row-major. */
export interface DenseMatrixDescriptor {
  readonly kind: 'dense';
  readonly path: string;
  readonly nRows: number;
  readonly nColumns: number;
  readonly data: DatasetDescriptor;
}

export type MatrixDescriptor = SparseMatrixDescriptor | DenseMatrixDescriptor;

/** A descriptor cut into JSON and typed arrays, for storage in an array bundle. */
export interface PackedDescriptor {
  readonly json: unknown;
  readonly arrays: Readonly<Record<string, Float64Array | Uint32Array | Uint8Array>>;
}

/** What `inspect` and `plan` say about a matrix. */
export interface MatrixSummary {
  readonly path: string;
  readonly kind: 'csr' | 'csc' | 'dense';
  readonly nRows: number;
  readonly nColumns: number;
  /** Stored elements: nonzeros of a sparse matrix, rows × columns of a dense one. */
  readonly storedCount: number;
  /** "float32", "int64", "bool", …; ">" in front when big-endian. */
  readonly dtype: string;
  /** Of the column indices; empty for a dense matrix. */
  readonly indexDtype: string;
  /** "csr_matrix", "array", …; empty in files that are older than the attribute. */
  readonly encodingType: string;
  readonly encodingVersion: string;
  /** Names of the pipeline's steps, as ["shuffle", "gzip"]; empty when not compressed. */
  readonly compression: readonly string[];
  /** Shape of a chunk of the values; null when they are stored in one piece. */
  readonly chunkShape: readonly number[] | null;
}

export type ColumnKind = 'categorical' | 'string' | 'integer' | 'float' | 'boolean';

/** A column of `obs` or `var` that has not been read. `unsupported` columns are listed but cannot be read. */
export interface ColumnSummary {
  readonly name: string;
  readonly kind: ColumnKind | 'unsupported';
  /** "categorical", "string-array", "nullable-integer", …; empty in old files. */
  readonly encodingType: string;
  /** Number of categories of a categorical column, otherwise null. */
  readonly categoryCount: number | null;
}

/** A column of `obs`, one entry per cell in file order. */
export type ObsColumn =
  | {
      readonly kind: 'categorical';
      readonly name: string;
      /** Position in `categories`, −1 where missing. */
      readonly codes: Int32Array;
      /** Categories as text, whatever type they are stored as. */
      readonly categories: readonly string[];
      readonly ordered: boolean;
    }
  | {
      readonly kind: 'string';
      readonly name: string;
      /** null where missing (nullable strings only). */
      readonly values: readonly (string | null)[];
    }
  | {
      readonly kind: 'integer';
      readonly name: string;
      /** 64-bit arrays only when some value lies beyond ±2^53, where a double is no longer exact. */
      readonly values: Float64Array | BigInt64Array | BigUint64Array;
      /** 1 where missing; null when the column cannot have missing values. */
      readonly missing: Uint8Array | null;
    }
  | {
      readonly kind: 'float';
      readonly name: string;
      readonly values: Float64Array;
      readonly missing: Uint8Array | null;
    }
  | {
      readonly kind: 'boolean';
      readonly name: string;
      /** 0 or 1. */
      readonly values: Uint8Array;
      readonly missing: Uint8Array | null;
    };

/** Names that occur more than once. */
export interface DuplicateNames {
  /** Number of entries that repeat an earlier one. */
  readonly count: number;
  /** The first name that is repeated, null when none is. */
  readonly example: string | null;
}

/** Rows of a frame from `begin` to `end`, which is not one of them. */
export interface RowRange {
  readonly begin: number;
  readonly end: number;
}

/** What to read beyond the lists of matrices and columns, which are always read. */
export interface MetadataRequest {
  /** Matrix whose descriptor is wanted ("X", "layers/counts", "raw/X"); its chunk index is read. */
  readonly matrix?: string;
  /** Further matrices whose descriptors are wanted, by path. */
  readonly matrices?: readonly string[];
  /** Columns of obs to read. */
  readonly obsColumns?: readonly string[];
  /** Columns of var to read. */
  readonly varColumns?: readonly string[];
  /** Read the cells' names and look for duplicates (about 0.5 s and 150 MB a million cells), or read those of some cells. */
  readonly obsNames?: boolean | RowRange;
  /** Look where the cells' names are, for `openCellNames`. */
  readonly obsNamesAddress?: boolean;
  /** Read the genes' names and look for duplicates; those of `raw/var` when `matrix` is "raw/X". Default true. */
  readonly varNames?: boolean;
}

export interface H5adMetadata {
  readonly path: string;
  readonly sizeBytes: number;
  /** The file's identity when it was read, as `ByteSource.version`. */
  readonly version: string;
  /** Of the root group: "anndata" and "0.1.0"; empty in files written before anndata 0.8. */
  readonly encodingType: string;
  readonly encodingVersion: string;
  readonly nObs: number;
  readonly nVar: number;
  /** X first when there is one, then layers by name, then raw/X. */
  readonly matrices: readonly MatrixSummary[];
  readonly obsColumns: readonly ColumnSummary[];
  readonly varColumns: readonly ColumnSummary[];
  /** null unless asked for. */
  readonly obsNames: readonly string[] | null;
  /** Of the dataset that holds them; null unless asked for, and where they are no strings that are read without the HDF5 library. */
  readonly obsNamesAddress: number | null;
  readonly varNames: readonly string[] | null;
  readonly duplicateObsNames: DuplicateNames | null;
  readonly duplicateVarNames: DuplicateNames | null;
  /** The columns asked for, in the order of the request. */
  readonly columns: readonly ObsColumn[];
  /** Those of var, likewise, one entry per gene. */
  readonly geneColumns: readonly ObsColumn[];
  /** The matrix asked for, null when none was. */
  readonly descriptor: MatrixDescriptor | null;
  /** Those asked for as `matrices`, in that order. */
  readonly descriptors: readonly MatrixDescriptor[];
  /** Things that do not stop a job but that a user should know, one sentence each. */
  readonly warnings: readonly string[];
}

/** Called with the stored bytes of every chunk that is read, exactly as they are in the file; valid during the call only. */
export type RawChunkListener = (dataset: 'data' | 'indices', chunkIndex: number, bytes: Uint8Array) => void;

export interface RowSourceOptions {
  /** Name of the file in error messages; the byte source's uri by default. */
  readonly label?: string;
  /** Largest byte range read at once; as much again is read ahead. Default 8 MiB. */
  readonly rangeBytes?: number;
  /** Memory a dense or column-wise matrix may take while it is turned into rows. Default 256 MiB. */
  readonly bandBytes?: number;
  readonly onRawChunk?: RawChunkListener;
  /** Takes the indices and values of blocks of a matrix stored by rows; the source's own memory by default. */
  readonly arrays?: RowArrays;
}
