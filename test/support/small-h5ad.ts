import h5wasm from 'h5wasm/node';

/** A dense matrix in memory: what a test expects to read back. */
export type Matrix = readonly (readonly number[])[];

/** How a small file is written; everything has a default. */
export interface SmallH5ad {
  readonly storage?: 'csr' | 'csc' | 'dense';
  readonly compression?: 'gzip' | null;
  readonly chunkLength?: number;
  /** Called with the open file after everything else has been written, to change or break it. */
  readonly amend?: (file: InstanceType<typeof h5wasm.File>) => void;
}

/**
 * Writes an AnnData file without Python: X, an obs with a categorical column `perturbation` (labels "control" and "a" in
 * turn), and a var.
 */
export async function writeSmallH5ad(path: string, matrix: Matrix, nColumns: number, how: SmallH5ad = {}): Promise<void> {
  await h5wasm.ready;
  const file = new h5wasm.File(path, 'w');
  try {
    file.create_attribute('encoding-type', 'anndata');
    file.create_attribute('encoding-version', '0.1.0');
    writeMatrix(file, matrix, nColumns, how);
    writeFrame(file, 'obs', 'cell', matrix.length);
    writeFrame(file, 'var', 'gene', nColumns);
    const column = file.get('obs') as InstanceType<typeof h5wasm.Group>;
    const group = column.create_group('perturbation');
    group.create_attribute('encoding-type', 'categorical');
    group.create_dataset({ name: 'codes', data: Int8Array.from(matrix, (_, row) => row % 2), shape: [matrix.length] });
    group.create_dataset({ name: 'categories', data: ['control', 'a'] });
    how.amend?.(file);
  } finally {
    file.close();
  }
}

function writeFrame(file: InstanceType<typeof h5wasm.File>, name: string, prefix: string, length: number): void {
  const frame = file.create_group(name);
  frame.create_attribute('encoding-type', 'dataframe');
  frame.create_attribute('_index', '_index');
  if (name === 'obs') frame.create_attribute('column-order', ['perturbation']);
  else frame.create_attribute('column-order', new Float64Array(0));
  const names = Array.from({ length }, (_, i) => `${prefix}${i}`);
  if (length > 0) frame.create_dataset({ name: '_index', data: names });
  else frame.create_dataset({ name: '_index', data: new Int8Array(0), shape: [0] });
}

function writeMatrix(file: InstanceType<typeof h5wasm.File>, matrix: Matrix, nColumns: number, how: SmallH5ad): void {
  const { storage = 'csr', compression = 'gzip', chunkLength = 7 } = how;
  if (storage === 'dense') {
    const chunks = [Math.min(3, Math.max(1, matrix.length)), Math.min(4, nColumns)];
    const packed = compression === null ? {} : { chunks, compression };
    const data = Float32Array.from(matrix.flat());
    file.create_dataset({ name: 'X', data, shape: [matrix.length, nColumns], ...packed });
    return;
  }
  const lines = storage === 'csr' ? matrix : Array.from({ length: nColumns }, (_, c) => matrix.map((row) => row[c]));
  const entries = lines.flatMap((line) => line.map((value, i) => ({ value, i })).filter(({ value }) => value !== 0));
  const indptr = new Int32Array(lines.length + 1);
  lines.forEach((line, i) => (indptr[i + 1] = indptr[i] + line.filter((value) => value !== 0).length));
  const group = file.create_group('X');
  group.create_attribute('encoding-type', `${storage}_matrix`);
  group.create_attribute('encoding-version', '0.1.0');
  group.create_attribute('shape', Int32Array.of(matrix.length, nColumns));
  const packed = compression === null || entries.length === 0 ? {} : { chunks: [Math.min(chunkLength, entries.length)], compression };
  const shape = [entries.length];
  group.create_dataset({ name: 'data', data: Float32Array.from(entries, ({ value }) => value), shape, ...packed });
  group.create_dataset({ name: 'indices', data: Int32Array.from(entries, ({ i }) => i), shape, ...packed });
  group.create_dataset({ name: 'indptr', data: indptr });
}
