import h5wasm from 'h5wasm/node';

type Hdf5Group = InstanceType<typeof h5wasm.Group>;

/** A dense matrix in memory: what a test expects to read back. */
export type Matrix = readonly (readonly number[])[];

/** Element types a matrix can be stored in, by the class of the array that holds them. */
const VALUE_ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  uint16: Uint16Array,
} as const;

/** How a small file is written; everything has a default. */
export interface SmallH5ad {
  /** `none`: the file has no matrix. */
  readonly storage?: 'csr' | 'csc' | 'dense' | 'none';
  readonly compression?: 'gzip' | null;
  readonly chunkLength?: number;
  /** HDF5's newest structures instead of its oldest. */
  readonly newest?: boolean;
  readonly dtype?: keyof typeof VALUE_ARRAYS;
  /** Label of each cell in the column `perturbation`, null where it is missing; default: "control" and "a" in turn. */
  readonly labels?: readonly (string | null)[];
  /** Names of the cells; default: cell0, cell1, … */
  readonly cells?: readonly string[];
  /** The cells' names are in chunks of so many. */
  readonly cellsChunk?: number;
  /** Names of the genes; default: gene0, gene1, … */
  readonly genes?: readonly string[];
  /** Further columns of obs. */
  readonly columns?: Readonly<Record<string, readonly number[] | readonly string[]>>;
  /** Further matrices of the same shape by path, such as `layers/counts` or `raw/X`. */
  readonly matrices?: Readonly<Record<string, Matrix>>;
  /** Called with the open file after everything else has been written, to change or break it. */
  readonly amend?: (file: InstanceType<typeof h5wasm.File>) => void;
}

/**
 * Writes an AnnData file without Python: X, an obs with a categorical column `perturbation`, a var, and whatever else `how`
 * asks for.
 */
export async function writeSmallH5ad(
  path: string,
  matrix: Matrix,
  nColumns: number,
  how: SmallH5ad = {},
): Promise<void> {
  await h5wasm.ready;
  const file = new h5wasm.File(path, 'w', how.newest === true ? { libver: 'latest' } : {});
  try {
    file.create_attribute('encoding-type', 'anndata');
    file.create_attribute('encoding-version', '0.1.0');
    writeMatrix(file, 'X', matrix, nColumns, how);
    const labels = how.labels ?? matrix.map((_, row) => (row % 2 === 0 ? 'control' : 'a'));
    const columns = Object.entries(how.columns ?? {});
    const cells = how.cells ?? Array.from({ length: matrix.length }, (_, i) => `cell${i}`);
    const obs = writeFrame(file, 'obs', cells, ['perturbation', ...columns.map(([name]) => name)], how.cellsChunk);
    writeCategories(obs, 'perturbation', labels);
    for (const [name, values] of columns) writeColumn(obs, name, values);
    const genes = how.genes ?? Array.from({ length: nColumns }, (_, i) => `gene${i}`);
    writeFrame(file, 'var', genes, []);
    for (const [name, values] of Object.entries(how.matrices ?? {})) {
      const parent = name.split('/')[0];
      if (file.get(parent) === null) file.create_group(parent);
      writeMatrix(file, name, values, nColumns, how);
      if (parent === 'raw') writeFrame(file, 'raw/var', genes, []);
    }
    how.amend?.(file);
  } finally {
    file.close();
  }
}

function writeFrame(
  parent: Hdf5Group,
  name: string,
  index: readonly string[],
  columns: readonly string[],
  chunk?: number,
): Hdf5Group {
  const frame = parent.create_group(name);
  frame.create_attribute('encoding-type', 'dataframe');
  frame.create_attribute('_index', '_index');
  if (columns.length > 0) frame.create_attribute('column-order', [...columns]);
  else frame.create_attribute('column-order', new Float64Array(0));
  const packed = chunk === undefined ? {} : { shape: [index.length], chunks: [chunk] };
  if (index.length > 0) frame.create_dataset({ name: '_index', data: [...index], ...packed });
  else frame.create_dataset({ name: '_index', data: new Int8Array(0), shape: [0] });
  return frame;
}

/** A categorical column whose categories stand in order of first appearance; a missing label has the code −1. */
function writeCategories(frame: Hdf5Group, name: string, labels: readonly (string | null)[]): void {
  const categories = [...new Set(labels.filter((label) => label !== null))];
  const group = frame.create_group(name);
  group.create_attribute('encoding-type', 'categorical');
  const codes = Int16Array.from(labels, (label) => (label === null ? -1 : categories.indexOf(label)));
  group.create_dataset({ name: 'codes', data: codes, shape: [labels.length] });
  // h5wasm cannot write a string array without entries; every reader takes any empty array for one.
  group.create_dataset({ name: 'categories', data: categories.length > 0 ? categories : ['control', 'a'] });
}

function writeColumn(frame: Hdf5Group, name: string, values: readonly number[] | readonly string[]): void {
  const isText = typeof values[0] === 'string';
  const data = isText ? (values as string[]) : Float64Array.from(values as number[]);
  frame.create_dataset({ name, data, shape: [values.length] });
  const column = frame.get(name) as InstanceType<typeof h5wasm.Dataset>;
  column.create_attribute('encoding-type', isText ? 'string-array' : 'array');
}

function writeMatrix(parent: Hdf5Group, name: string, matrix: Matrix, nColumns: number, how: SmallH5ad): void {
  const { storage = 'csr', compression = 'gzip', chunkLength = 7, dtype = 'float32' } = how;
  if (storage === 'none') return;
  const valuesOf = (values: number[]) => VALUE_ARRAYS[dtype].from(values);
  if (storage === 'dense') {
    const chunks = [Math.min(3, Math.max(1, matrix.length)), Math.min(4, nColumns)];
    const packed = compression === null ? {} : { chunks, compression };
    parent.create_dataset({ name, data: valuesOf(matrix.flat()), shape: [matrix.length, nColumns], ...packed });
    return;
  }
  const lines = storage === 'csr' ? matrix : Array.from({ length: nColumns }, (_, c) => matrix.map((row) => row[c]));
  const entries = lines.flatMap((line) => line.map((value, i) => ({ value, i })).filter(({ value }) => value !== 0));
  const indptr = new Int32Array(lines.length + 1);
  lines.forEach((line, i) => (indptr[i + 1] = indptr[i] + line.filter((value) => value !== 0).length));
  const group = parent.create_group(name);
  group.create_attribute('encoding-type', `${storage}_matrix`);
  group.create_attribute('encoding-version', '0.1.0');
  group.create_attribute('shape', Int32Array.of(matrix.length, nColumns));
  const packed =
    compression === null || entries.length === 0
      ? {}
      : { chunks: [Math.min(chunkLength, entries.length)], compression };
  const shape = [entries.length];
  group.create_dataset({ name: 'data', data: valuesOf(entries.map(({ value }) => value)), shape, ...packed });
  group.create_dataset({ name: 'indices', data: Int32Array.from(entries, ({ i }) => i), shape, ...packed });
  group.create_dataset({ name: 'indptr', data: indptr });
}
