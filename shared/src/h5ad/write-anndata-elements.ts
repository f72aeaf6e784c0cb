import { InvalidInputError } from '../errors/index.js';
import type { Hdf5Skeleton } from './write-hdf5-skeleton.js';
import type { ColumnSpec, DataFrameSpec, MatrixDtype, NumericArray, UnsDict, UnsValue } from './write-types.js';

/** Attaches what tells anndata how to read an object. */
export function writeEncoding(file: Hdf5Skeleton, path: string, type: string, version: string): void {
  file.stringAttribute(path, 'encoding-type', type);
  file.stringAttribute(path, 'encoding-version', version);
}

export function writeEmptyDict(file: Hdf5Skeleton, path: string): void {
  file.group(path);
  writeEncoding(file, path, 'dict', '0.1.0');
}

/** A dense matrix without its values; they are written later. */
export function writeDensePlaceholder(file: Hdf5Skeleton, path: string, dtype: MatrixDtype): void {
  file.contiguousPlaceholder(`/${path}`, dtype, 2);
  writeEncoding(file, `/${path}`, 'array', '0.2.0');
}

/**
 * Writes `obs` or `var`.
 *
 * @throws InvalidInputError when a column is shorter or longer than the index, or a code is out of range
 */
export function writeDataFrame(file: Hdf5Skeleton, path: string, frame: DataFrameSpec): void {
  const names = Object.keys(frame.columns);
  file.group(path);
  writeEncoding(file, path, 'dataframe', '0.2.0');
  file.stringAttribute(path, '_index', '_index');
  file.stringArrayAttribute(path, 'column-order', names);
  writeStrings(file, `${path}/_index`, frame.index);
  for (const name of names) {
    requirePlainName(name, path);
    writeColumn(file, `${path}/${name}`, frame.columns[name], frame.index.length);
  }
}

function writeColumn(file: Hdf5Skeleton, path: string, column: ColumnSpec, nRows: number): void {
  const values = column.kind === 'categorical' ? column.codes : column.values;
  if (values.length !== nRows) {
    throw new InvalidInputError(`column ${path} has ${values.length} values for ${nRows} rows`);
  }
  if (column.kind === 'numeric') {
    writeArray(file, path, column.values, [nRows]);
  } else if (column.kind === 'strings') {
    writeStrings(file, path, column.values);
  } else {
    for (const code of column.codes) {
      if (code < -1 || code >= column.categories.length) {
        throw new InvalidInputError(`column ${path} has code ${code} for ${column.categories.length} categories`);
      }
    }
    file.group(path);
    writeEncoding(file, path, 'categorical', '0.2.0');
    file.numericAttribute(path, 'ordered', new Int8Array([column.ordered === true ? 1 : 0]), []);
    writeArray(file, `${path}/codes`, column.codes, [nRows]);
    writeStrings(file, `${path}/categories`, column.categories);
  }
}

/** One more numeric column of a dataframe; the frame's `column-order` has to name it. */
export function writeNumericColumn(file: Hdf5Skeleton, path: string, values: NumericArray): void {
  writeArray(file, path, values, [values.length]);
}

/** Writes `uns`, or any dictionary within it. */
export function writeDict(file: Hdf5Skeleton, path: string, dict: UnsDict): void {
  writeEmptyDict(file, path);
  for (const [name, value] of Object.entries(dict)) {
    requirePlainName(name, path);
    writeValue(file, `${path}/${name}`, value);
  }
}

function writeValue(file: Hdf5Skeleton, path: string, value: UnsValue): void {
  if (value === null) return;
  if (typeof value === 'string') {
    file.strings(path, [value], []);
    writeEncoding(file, path, 'string', '0.2.0');
  } else if (typeof value === 'number') {
    writeScalar(file, path, new Float64Array([value]));
  } else if (typeof value === 'bigint') {
    writeScalar(file, path, new BigInt64Array([value]));
  } else if (typeof value === 'boolean') {
    writeScalar(file, path, new Int8Array([value ? 1 : 0]));
  } else if (isTexts(value)) {
    writeStrings(file, path, value);
  } else if (isNumbers(value)) {
    writeArray(file, path, value, [value.length]);
  } else if (isRecArray(value)) {
    writeRecArray(file, path, value.fields);
  } else if (isNdArray(value)) {
    const length = value.shape.reduce((product, size) => product * size, 1);
    if (length !== value.values.length) {
      throw new InvalidInputError(
        `array ${path} has ${value.values.length} values for shape ${value.shape.join(' × ')}`,
      );
    }
    writeArray(file, path, value.values, value.shape);
  } else {
    writeDict(file, path, value);
  }
}

function writeRecArray(
  file: Hdf5Skeleton,
  path: string,
  fields: Readonly<Record<string, readonly string[] | Float32Array | Float64Array>>,
): void {
  const lengths = new Set(Object.values(fields).map((field) => field.length));
  if (lengths.size !== 1) throw new InvalidInputError(`the fields of ${path} must exist and have one length`);
  file.compound(path, fields);
  writeEncoding(file, path, 'rec-array', '0.2.0');
}

function writeScalar(file: Hdf5Skeleton, path: string, value: NumericArray): void {
  file.numeric(path, value, []);
  writeEncoding(file, path, 'numeric-scalar', '0.2.0');
}

function writeArray(file: Hdf5Skeleton, path: string, values: NumericArray, shape: readonly number[]): void {
  file.numeric(path, values, shape);
  writeEncoding(file, path, 'array', '0.2.0');
}

function writeStrings(file: Hdf5Skeleton, path: string, values: readonly string[]): void {
  file.strings(path, values, [values.length]);
  writeEncoding(file, path, 'string-array', '0.2.0');
}

const isTexts = (value: UnsValue): value is readonly string[] => Array.isArray(value);
const isNumbers = (value: UnsValue): value is NumericArray => ArrayBuffer.isView(value);
type Tagged<Kind extends string> = Extract<UnsValue, { readonly kind: Kind }>;
const isRecArray = (value: UnsValue): value is Tagged<'rec-array'> => kindOf(value) === 'rec-array';
const isNdArray = (value: UnsValue): value is Tagged<'nd-array'> => kindOf(value) === 'nd-array';
// A dictionary of the user may hold an ordinary entry called "kind": only our two specifications count.
const kindOf = (value: UnsValue): unknown => (value as { kind?: unknown }).kind;

/** A slash would silently make a group of its own. */
function requirePlainName(name: string, path: string): void {
  if (!name.includes('/')) return;
  throw new InvalidInputError(`the name "${name}" in ${path} contains a slash, which HDF5 takes for a path`);
}
