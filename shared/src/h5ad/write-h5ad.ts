import { InvalidInputError, InvariantBrokenError, ShardexError, toShardexError } from '../errors/index.js';
import { writeDataFrame, writeDict, writeEmptyDict, writeEncoding } from './write-anndata-elements.js';
import { encodeChunkIndex, type StoredChunk } from './write-chunk-index.js';
import { rowOffsetType, StreamingCsrAppender } from './write-csr-appender.js';
import { Hdf5Skeleton, bytesPerElement, type BulkDtype } from './write-hdf5-skeleton.js';
import {
  clearModificationTime,
  locateMessages,
  patchChunkIndex,
  patchContiguousLayout,
  patchDimensions,
  patchEndOfFile,
  readEndOfFile,
  type HeaderPositions,
} from './write-object-header.js';
import { TemporaryFile } from './write-temporary-file.js';
import type {
  CsrAppender,
  DataFrameSpec,
  H5adSkeleton,
  H5adWriter,
  MatrixDtype,
  MatrixPath,
  MatrixRows,
} from './write-types.js';

/** Bulk data begins on a page, so that reads of whole rows need no extra page. */
const ALIGNMENT = 4096;
/** The empty groups and attributes of an AnnData file. */
const MIN_FILE_BYTES = 1 << 16;
const CSR_PARTS = { values: 'X/data', indices: 'X/indices', indptr: 'X/indptr' } as const;

/** A dense matrix and its place in the file. */
interface Dense {
  readonly dtype: MatrixDtype;
  readonly nRows: number;
  readonly nColumns: number;
  address: number;
  /** 1 for each row that was written. */
  readonly written: Uint8Array;
}

/**
 * Writes AnnData files without their matrices ever passing through memory.
 *
 * h5wasm makes the skeleton with place-holders of one element for the matrices. Dense matrices are stored contiguous and
 * uncompressed: row r of matrix m lies at address(m) + r · rowBytes, so rows are written in any order with one `pwrite`.
 * The CSR matrix is a stream of gzip chunks. On `close` the place-holders' dimensions and addresses are patched.
 *
 * Cost: one write of the data; memory O(obs + var) names plus, for CSR, a dozen chunks.
 */
export class H5adFileWriter implements H5adWriter {
  private appender: StreamingCsrAppender | null = null;

  private constructor(
    private readonly file: TemporaryFile,
    private readonly skeleton: H5adSkeleton,
    private readonly headers: ReadonlyMap<string, HeaderPositions>,
    private readonly dense: ReadonlyMap<string, Dense>,
    /** First byte after the dense matrices. */
    private readonly endOfDense: number,
  ) {}

  /**
   * Creates the file under a temporary name with everything but the matrices.
   *
   * @throws InvalidInputError when the place is not writable or the specification contradicts itself
   * @throws ResourceExhaustedError when the disk has no room for the dense matrices
   */
  static async create(path: string, skeleton: H5adSkeleton): Promise<H5adFileWriter> {
    if (skeleton.csr !== undefined && skeleton.dense?.X !== undefined) {
      throw new InvalidInputError('X cannot be both dense and sparse');
    }
    const dense = denseMatrices(skeleton);
    const file = await TemporaryFile.create(path);
    try {
      // Ahead of all else: HDF5 may abort instead of returning an error when the disk fills up under it.
      const denseBytes = [...dense.values()].reduce((sum, matrix) => sum + matrix.nRows * rowBytes(matrix), 0);
      await file.requireRoom(estimateSkeletonBytes(skeleton) + denseBytes);
      const addresses = await writeSkeleton(file, skeleton, dense);
      if ((await readEndOfFile(file)) !== (await file.sizeBytes())) {
        throw new InvariantBrokenError(`writing ${path}: HDF5 did not finish the skeleton`, {
          hint: 'check the room left on the disk',
        });
      }
      const headers = new Map<string, HeaderPositions>();
      for (const [name, address] of addresses) {
        const header = await locateMessages(file, address, name);
        headers.set(name, header);
        await clearModificationTime(file, header);
      }
      let position = aligned(await file.sizeBytes());
      for (const matrix of dense.values()) {
        matrix.address = position;
        position = aligned(position + matrix.nRows * rowBytes(matrix));
      }
      return new H5adFileWriter(file, skeleton, headers, dense, position);
    } catch (error) {
      // When HDF5 aborts it says nothing; the state of the disk does.
      const noRoom = await file.requireRoom(MIN_FILE_BYTES).catch((reason: unknown) => reason);
      await file.discard();
      throw error instanceof ShardexError ? error : toShardexError(noRoom ?? error, `writing ${path}`);
    }
  }

  async writeRows(matrix: MatrixPath, rowBegin: number, data: MatrixRows): Promise<void> {
    const target = this.dense.get(matrix);
    if (target === undefined) throw new InvariantBrokenError(`${this.file.path} has no dense matrix ${matrix}`);
    if (dtypeOf(data) !== target.dtype) {
      throw new InvariantBrokenError(`${matrix} holds ${target.dtype} but was given ${dtypeOf(data)}`);
    }
    const nRows = target.nColumns === 0 ? 0 : data.length / target.nColumns;
    if (!Number.isInteger(nRows) || rowBegin < 0 || rowBegin + nRows > target.nRows) {
      throw new InvariantBrokenError(
        `${data.length} values from row ${rowBegin} do not fit ${matrix} of ${target.nRows} × ${target.nColumns}`,
      );
    }
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    await this.file.writeAt(bytes, target.address + rowBegin * rowBytes(target));
    target.written.fill(1, rowBegin, rowBegin + nRows);
  }

  csrAppender(): CsrAppender {
    const { csr, obs, var: genes } = this.skeleton;
    if (csr === undefined) throw new InvariantBrokenError(`${this.file.path} has no CSR matrix`);
    this.appender ??= new StreamingCsrAppender(this.file, csr, obs.index.length, genes.index.length, this.endOfDense);
    return this.appender;
  }

  async close(): Promise<void> {
    try {
      await this.patchDense();
      const endOfFile = this.skeleton.csr === undefined ? this.endOfDense : await this.finishCsr();
      await patchEndOfFile(this.file, endOfFile);
      await this.file.use((handle) => handle.truncate(endOfFile));
      await this.file.commit();
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  async abort(): Promise<void> {
    await this.appender?.drain();
    await this.file.discard();
  }

  private async patchDense(): Promise<void> {
    for (const [path, matrix] of this.dense) {
      const missing = matrix.nColumns === 0 ? -1 : matrix.written.indexOf(0);
      if (missing >= 0) throw new InvariantBrokenError(`row ${missing} of ${path} was never written`);
      await this.patchContiguous(path, [matrix.nRows, matrix.nColumns], matrix.address, matrix.dtype);
    }
  }

  /** @returns the end of the file */
  private async finishCsr(): Promise<number> {
    this.csrAppender();
    const { stored, position } = await (this.appender as StreamingCsrAppender).finish();
    const indptrAddress = aligned(position);
    await this.file.writeAt(new Uint8Array(stored.indptr.buffer), indptrAddress);
    const offsetType = stored.indptr instanceof Int32Array ? 'i32' : 'i64';
    await this.patchContiguous(CSR_PARTS.indptr, [stored.indptr.length], indptrAddress, offsetType);
    const end = aligned(indptrAddress + stored.indptr.byteLength);
    const afterValues = await this.patchChunked(CSR_PARTS.values, stored.nnz, stored.values, end);
    return this.patchChunked(CSR_PARTS.indices, stored.nnz, stored.indices, afterValues);
  }

  private async patchContiguous(
    path: string,
    shape: readonly number[],
    address: number,
    dtype: BulkDtype,
  ): Promise<void> {
    const header = this.headerOf(path);
    const bytes = shape.reduce((product, size) => product * size, bytesPerElement(dtype));
    await patchDimensions(this.file, header, path, shape);
    await patchContiguousLayout(this.file, header, path, address, bytes);
  }

  private async patchChunked(
    path: string,
    length: number,
    chunks: readonly StoredChunk[],
    address: number,
  ): Promise<number> {
    const header = this.headerOf(path);
    const chunkElements = this.skeleton.csr?.chunkElements ?? 0;
    const { bytes, rootAddress } = encodeChunkIndex(chunks, chunkElements, address);
    await this.file.writeAt(bytes, address);
    await patchDimensions(this.file, header, path, [length]);
    await patchChunkIndex(this.file, header, path, rootAddress);
    return aligned(address + bytes.length);
  }

  private headerOf(path: string): HeaderPositions {
    const header = this.headers.get(`/${path}`);
    if (header === undefined) throw new InvariantBrokenError(`the skeleton has no dataset ${path}`);
    return header;
  }
}

function denseMatrices(skeleton: H5adSkeleton): Map<string, Dense> {
  const nObs = skeleton.obs.index.length;
  const nVar = skeleton.var.index.length;
  const matrices = new Map<string, Dense>();
  const add = (path: string, dtype: MatrixDtype, nRows: number, nColumns: number): void => {
    if (matrices.has(path) || path.split('/').length > 2) {
      throw new InvalidInputError(`"${path}" is no name, or is named twice, for a matrix of an h5ad file`);
    }
    matrices.set(path, { dtype, nRows, nColumns, address: 0, written: new Uint8Array(nRows) });
  };
  if (skeleton.dense?.X !== undefined) add('X', skeleton.dense.X, nObs, nVar);
  for (const { name, dtype } of skeleton.dense?.layers ?? []) add(`layers/${name}`, dtype, nObs, nVar);
  for (const [name, { columns, dtype }] of Object.entries(skeleton.varm ?? {}))
    add(`varm/${name}`, dtype, nVar, columns);
  return matrices;
}

/** A little less than the tables will take: a guard against a disk that is too small, not a prediction. */
function estimateSkeletonBytes({ obs, var: genes }: H5adSkeleton): number {
  // A string has a reference of 16 bytes and an object of 16 and its padded text.
  const texts = (values: readonly string[]): number => values.reduce((sum, text) => sum + 32 + text.length, 0);
  const frame = ({ index, columns }: DataFrameSpec): number =>
    Object.values(columns).reduce((sum, column) => {
      if (column.kind === 'strings') return sum + texts(column.values);
      return sum + (column.kind === 'numeric' ? column.values : column.codes).byteLength;
    }, texts(index));
  return MIN_FILE_BYTES + frame(obs) + frame(genes);
}

/** @returns the address of every dataset's header */
async function writeSkeleton(
  file: TemporaryFile,
  skeleton: H5adSkeleton,
  dense: ReadonlyMap<string, Dense>,
): Promise<Map<string, number>> {
  const hdf5 = await Hdf5Skeleton.create(file.temporaryPath, file.path);
  try {
    writeEncoding(hdf5, '/', 'anndata', '0.1.0');
    for (const name of ['layers', 'obsm', 'obsp', 'varm', 'varp']) writeEmptyDict(hdf5, `/${name}`);
    writeDataFrame(hdf5, '/obs', skeleton.obs);
    writeDataFrame(hdf5, '/var', skeleton.var);
    writeDict(hdf5, '/uns', skeleton.uns);
    for (const [path, { dtype }] of dense) {
      hdf5.contiguousPlaceholder(`/${path}`, dtype, 2);
      writeEncoding(hdf5, `/${path}`, 'array', '0.2.0');
    }
    if (skeleton.csr !== undefined) {
      const { chunkElements, gzipLevel } = skeleton.csr;
      const shape = new BigInt64Array([BigInt(skeleton.obs.index.length), BigInt(skeleton.var.index.length)]);
      hdf5.group('/X');
      writeEncoding(hdf5, '/X', 'csr_matrix', '0.1.0');
      hdf5.numericAttribute('/X', 'shape', shape, [2]);
      hdf5.chunkedPlaceholder(`/${CSR_PARTS.values}`, 'f32', chunkElements, gzipLevel);
      hdf5.chunkedPlaceholder(`/${CSR_PARTS.indices}`, 'i32', chunkElements, gzipLevel);
      const offsetType = rowOffsetType(skeleton.obs.index.length, skeleton.var.index.length);
      hdf5.contiguousPlaceholder(`/${CSR_PARTS.indptr}`, offsetType, 1);
    }
  } catch (error) {
    throw hdf5.abandon(error);
  }
  return hdf5.close();
}

const rowBytes = (matrix: Dense): number => matrix.nColumns * bytesPerElement(matrix.dtype);
const aligned = (position: number): number => Math.ceil(position / ALIGNMENT) * ALIGNMENT;

function dtypeOf(data: MatrixRows): MatrixDtype {
  if (data instanceof Float32Array) return 'f32';
  if (data instanceof Float64Array) return 'f64';
  return data instanceof Uint8Array ? 'u8' : 'i32';
}
