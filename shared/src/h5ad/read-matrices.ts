import { CorruptDataError, InvalidInputError, UnsupportedDataError } from '../errors/index.js';
import { filterName, readDatasetDescriptor, type Hdf5Bytes } from './hdf5/index.js';
import type { Hdf5Metadata } from './h5wasm-module.js';
import type { Hdf5File } from './read-hdf5-file.js';
import type { DatasetDescriptor, MatrixDescriptor, MatrixSummary } from './types.js';

const SPARSE_PARTS = ['data', 'indices', 'indptr'] as const;

/** Every matrix of cells × genes in the file: X first, then the layers by name, then raw/X. */
export function listMatrices(file: Hdf5File, label: string): MatrixSummary[] {
  const layers = file.childrenOf('/layers').sort();
  return ['X', ...layers.map((name) => `layers/${name}`), 'raw/X']
    .filter((path) => isMatrix(file, path))
    .map((path) => summarise(file, path, label));
}

function isMatrix(file: Hdf5File, path: string): boolean {
  const kind = file.kindOf(`/${path}`);
  if (kind === 'dataset') return file.metadataOf(`/${path}`).shape?.length === 2;
  return kind === 'group' && sparseKind(file, path) !== null;
}

/** "csr" or "csc"; the second attribute is that of anndata before 0.7. */
function sparseKind(file: Hdf5File, path: string): 'csr' | 'csc' | null {
  const name = file.textAttribute(`/${path}`, 'encoding-type') || file.textAttribute(`/${path}`, 'h5sparse_format');
  if (name === 'csr_matrix' || name === 'csr') return 'csr';
  return name === 'csc_matrix' || name === 'csc' ? 'csc' : null;
}

function summarise(file: Hdf5File, path: string, label: string): MatrixSummary {
  const node = `/${path}`;
  const kind = sparseKind(file, path) ?? 'dense';
  if (kind !== 'dense') {
    const absent = SPARSE_PARTS.find((part) => file.kindOf(`${node}/${part}`) !== 'dataset');
    if (absent !== undefined) throw corrupt(label, path, `has no ${absent}`);
  }
  const data = file.metadataOf(kind === 'dense' ? node : `${node}/data`);
  const [nRows, nColumns] = kind === 'dense' ? (data.shape ?? []) : sparseShape(file, path, label);
  return {
    path,
    kind,
    nRows,
    nColumns,
    storedCount: data.total_size,
    dtype: typeName(data),
    indexDtype: kind === 'dense' ? '' : typeName(file.metadataOf(`${node}/indices`)),
    encodingType: file.textAttribute(node, 'encoding-type'),
    encodingVersion: file.textAttribute(node, 'encoding-version'),
    compression: file.filtersOf(kind === 'dense' ? node : `${node}/data`).map(filterName),
    chunkShape: data.chunks,
  };
}

function sparseShape(file: Hdf5File, path: string, label: string): [number, number] {
  const node = `/${path}`;
  const shape = file.attribute(node, 'shape') ?? file.attribute(node, 'h5sparse_shape');
  if (shape?.kind !== 'integers' || shape.values.length !== 2) throw corrupt(label, path, 'does not say its shape');
  return [Number(shape.values[0]), Number(shape.values[1])];
}

function typeName(metadata: Hdf5Metadata): string {
  const bits = metadata.size * 8;
  // @source HDF5's H5T_class_t: 0 integer, 1 float, 8 enumeration
  if (metadata.type === 8) return 'bool';
  if (metadata.type !== 0 && metadata.type !== 1) return 'unsupported';
  const name = metadata.type === 1 ? `float${bits}` : `${metadata.signed ? 'int' : 'uint'}${bits}`;
  return metadata.littleEndian || metadata.size === 1 ? name : `>${name}`;
}

/**
 * Everything a worker needs to read one matrix by byte ranges.
 *
 * @param matrices - as listed by `listMatrices`
 * @param nObs - rows the matrix must have
 * @param nVar - columns the matrix must have
 * @throws InvalidInputError when the file has no such matrix
 * @throws CorruptDataError when its parts do not fit each other
 * @throws UnsupportedDataError for element types that are not read
 */
export async function describeMatrix(
  file: Hdf5File,
  bytes: Hdf5Bytes,
  matrices: readonly MatrixSummary[],
  path: string,
  nObs: number,
  nVar: number,
): Promise<MatrixDescriptor> {
  const label = bytes.source.uri;
  const summary = matrices.find((matrix) => matrix.path === path);
  if (summary === undefined) throw noSuchMatrix(label, path, matrices);
  const { kind, nRows, nColumns } = summary;
  if (nRows !== nObs || nColumns !== nVar) {
    throw corrupt(label, path, `is ${nRows} × ${nColumns} but the file has ${nObs} cells and ${nVar} genes`);
  }
  const describe = (name: string): Promise<DatasetDescriptor> =>
    readDatasetDescriptor(bytes, file.addressOf(`/${name}`), name);
  if (kind === 'dense') return { kind, path, nRows, nColumns, data: await describe(path) };
  const [data, indices, indptr] = await Promise.all(SPARSE_PARTS.map((part) => describe(`${path}/${part}`)));
  const lines = kind === 'csr' ? nRows : nColumns;
  checkLengths(label, path, lines, data, indices, indptr);
  for (const part of [indices, indptr]) {
    if (part.type.kind !== 'int' && part.type.kind !== 'uint') {
      throw new UnsupportedDataError(`${label}: ${part.path} does not hold whole numbers`, {
        hint: 'write the file again with anndata',
      });
    }
  }
  return { kind, path, nRows, nColumns, nonzeroCount: data.shape[0], data, indices, indptr };
}

function checkLengths(
  label: string,
  path: string,
  lines: number,
  data: DatasetDescriptor,
  indices: DatasetDescriptor,
  indptr: DatasetDescriptor,
): void {
  for (const part of [data, indices, indptr]) {
    if (part.shape.length !== 1)
      throw corrupt(label, path, `has ${part.path} of rank ${part.shape.length} instead of 1`);
  }
  if (indptr.shape[0] !== lines + 1) {
    throw corrupt(label, path, `needs an indptr of length ${lines + 1} but has one of length ${indptr.shape[0]}`);
  }
  if (data.shape[0] !== indices.shape[0]) {
    throw corrupt(label, path, `has ${data.shape[0]} values but ${indices.shape[0]} indices`);
  }
}

function noSuchMatrix(label: string, path: string, matrices: readonly MatrixSummary[]): InvalidInputError {
  const names = matrices.map((matrix) => matrix.path).join(', ');
  const what = path.startsWith('layers/') ? `no layer "${path.slice('layers/'.length)}"` : `no ${path}`;
  return new InvalidInputError(`${label} has ${what}`, {
    hint: names === '' ? 'it has no matrix at all: write X with anndata' : `it has ${names}`,
    details: { matrix: path },
  });
}

function corrupt(label: string, path: string, reason: string): CorruptDataError {
  return new CorruptDataError(`${label}: ${path} ${reason}`, {
    hint: 'write the file again with anndata',
    details: { path: label, matrix: path },
  });
}
