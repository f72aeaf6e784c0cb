/**
 * What an AnnData file is to hold, as plain values: the input of `H5adFileWriter.create`.
 *
 * The small parts (tables, names, `uns`) are given whole; the large ones (dense matrices, the CSR matrix) only by type
 * and shape, and are filled afterwards piece by piece, so that they never pass through memory as a whole.
 *
 * @source AnnData on-disk format, encoding versions of anndata 0.12: https://anndata.readthedocs.io/en/latest/fileformat-prose.html
 */

/** Element types of dense matrices. */
export type MatrixDtype = 'f32' | 'f64' | 'u8' | 'i32';

/** Arrays that become numeric columns or `uns` arrays; int64 travels as BigInt64Array. */
export type NumericArray =
  | Float64Array
  | Float32Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigInt64Array;

/** One column of `obs` or `var`; its length is that of the index. */
export type ColumnSpec =
  | { readonly kind: 'numeric'; readonly values: NumericArray }
  | { readonly kind: 'strings'; readonly values: readonly string[] }
  | {
      readonly kind: 'categorical';
      readonly categories: readonly string[];
      /** Index into `categories` for each row; -1 is a missing value. */
      readonly codes: Int8Array | Int16Array | Int32Array;
      readonly ordered?: boolean;
    };

/** `obs` or `var`. Columns are written in the order of the object's keys. */
export interface DataFrameSpec {
  readonly index: readonly string[];
  readonly columns: Readonly<Record<string, ColumnSpec>>;
}

/**
 * A structured array with one field a group, as scanpy's `uns/rank_genes_groups` holds. All fields have the same length.
 * Strings are written with variable length: anndata does not read fixed-length strings inside a compound.
 */
export interface RecArraySpec {
  readonly kind: 'rec-array';
  readonly fields: Readonly<Record<string, readonly string[] | Float32Array | Float64Array>>;
}

/** A dense array of `uns` with more than one dimension, row-major. */
export interface NdArraySpec {
  readonly kind: 'nd-array';
  readonly shape: readonly number[];
  readonly values: NumericArray;
}

/**
 * A value in `uns`. A number is stored as float64, an integer given as bigint as int64. HDF5 booleans are not written
 * by h5wasm, so a boolean becomes int8 0 or 1; `null` is left out.
 */
export type UnsValue =
  string | number | bigint | boolean | null | readonly string[] | NumericArray | RecArraySpec | NdArraySpec | UnsDict;
export interface UnsDict {
  readonly [key: string]: UnsValue;
}

export interface DenseSpec {
  /** Type of `X`; left out: the file has no dense `X`. */
  readonly X?: MatrixDtype;
  readonly layers: readonly { readonly name: string; readonly dtype: MatrixDtype }[];
}

/**
 * `X` as compressed sparse rows: float32 values, int32 column indices, and row offsets in int32 too unless rows × columns
 * reaches 2^31, then in int64.
 */
export interface CsrSpec {
  /** Elements of a compressed chunk of `X/data` and of `X/indices`. */
  readonly chunkElements: number;
  /** 0 … 9 of zlib. */
  readonly gzipLevel: number;
}

export interface H5adSkeleton {
  readonly obs: DataFrameSpec;
  readonly var: DataFrameSpec;
  readonly uns: UnsDict;
  /** Dense matrices genes × `columns`, filled by `writeRows('varm/NAME', …)`. */
  readonly varm?: Readonly<Record<string, { readonly columns: number; readonly dtype: MatrixDtype }>>;
  /** Dense obs × var matrices, filled by `writeRows('X', …)` and `writeRows('layers/NAME', …)`. */
  readonly dense?: DenseSpec;
  /** Excludes `dense.X`. */
  readonly csr?: CsrSpec;
}

/** Name of a dense matrix within the file. */
export type MatrixPath = 'X' | `layers/${string}` | `varm/${string}`;

/** Row data of a dense matrix; the array's type must be the matrix's `MatrixDtype`. */
export type MatrixRows = Float32Array | Float64Array | Uint8Array | Int32Array;

/**
 * Streams rows of the CSR matrix in file order. `append` copies what it is given, compresses full chunks in libuv's
 * threads, and resolves when there is room for more, so that awaiting it bounds the memory.
 */
export interface CsrAppender {
  /**
   * @param indices - columns of the nonzeros, row after row
   * @param values - their values, same length
   * @param rowNnz - nonzeros of each appended row; sums to the length
   */
  append(indices: Int32Array, values: Float32Array, rowNnz: Int32Array): Promise<void>;
  /** Rows appended so far. */
  readonly nRows: number;
  /** Nonzeros appended so far. */
  readonly nnz: number;
}

/**
 * An AnnData file being written. It lives under a temporary sibling name until `close`, which renames it into place:
 * a file with the final name is always whole. Equal input gives equal bytes.
 */
export interface H5adWriter {
  /**
   * Writes rows rowBegin … rowBegin + data.length / columns − 1 of a dense matrix at their place. Any order, repeats
   * allowed, several calls at once allowed. NaN is kept.
   */
  writeRows(matrix: MatrixPath, rowBegin: number, data: MatrixRows): Promise<void>;
  /** The appender of the CSR matrix; the same one at every call. */
  csrAppender(): CsrAppender;
  /**
   * Completes and syncs the file under its temporary name. Nothing may be written afterwards; of several files one can be
   * synced while the next is being written.
   *
   * @throws InvariantBrokenError when a row of any matrix was never written
   */
  settle(): Promise<void>;
  /** Settles the file if it is not, and renames it. @throws as `settle` */
  close(): Promise<void>;
  /** Removes the temporary file; harmless after `close`. */
  abort(): Promise<void>;
}

/** Type of a column of a tidy table; `string` is stored as a dictionary in Parquet, unless its texts are distinct. */
export type TableColumnType = 'string' | 'f64' | 'f32' | 'i32' | 'u8';
export interface TableColumn {
  readonly name: string;
  readonly type: TableColumnType;
  /** Whether hardly a text occurs twice. Default false. */
  readonly isDistinct?: boolean;
}
/** Values of one column for a run of rows: an array of strings, or the typed array of the column's type. */
export type TableValues = readonly string[] | Float64Array | Float32Array | Int32Array | Uint8Array;

/**
 * A tidy table being written as CSV or Parquet, in row order, under a temporary sibling name until `close`.
 * NaN is an empty field in CSV and NaN (not null) in Parquet.
 */
export interface TableWriter {
  /** Appends one block of rows; `values[i]` belongs to column i and all have the same length. */
  append(values: readonly TableValues[]): Promise<void>;
  /** Completes and syncs the file under its temporary name. Nothing may be appended afterwards. */
  settle(): Promise<void>;
  /** Settles the file if it is not, and renames it. */
  close(): Promise<void>;
  abort(): Promise<void>;
}
