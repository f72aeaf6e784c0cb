import { InvalidInputError, InvariantBrokenError, ShardexError, toShardexError } from '../errors/index.js';
import {
  writeDataFrame,
  writeDensePlaceholder,
  writeDict,
  writeEmptyDict,
  writeEncoding,
} from './write-anndata-elements.js';
import { encodeChunkIndex, type StoredChunk } from './write-chunk-index.js';
import { rowOffsetType, StreamingCsrAppender } from './write-csr-appender.js';
import { aligned, DenseMatrices, patchContiguous } from './write-dense-matrices.js';
import { Hdf5Skeleton } from './write-hdf5-skeleton.js';
import {
  patchChunkIndex,
  patchDimensions,
  patchEndOfFile,
  prepareHeaders,
  readEndOfFile,
  type HeaderPositions,
} from './write-object-header.js';
import { TemporaryFile } from './write-temporary-file.js';
import type { CsrAppender, DataFrameSpec, H5adSkeleton, H5adWriter, MatrixPath, MatrixRows } from './write-types.js';

/** The empty groups and attributes of an AnnData file. */
const MIN_FILE_BYTES = 1 << 16;
/** Bytes copied at a time. */
const COPY_BYTES = 1 << 20;
const CSR_PARTS = { values: 'X/data', indices: 'X/indices', indptr: 'X/indptr' } as const;

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
  private settling: Promise<void> | null = null;

  private constructor(
    private readonly file: TemporaryFile,
    private readonly skeleton: H5adSkeleton,
    private readonly dense: DenseMatrices,
    private described: Described,
    /** First byte of the dense matrices, and first byte after them. */
    private beginOfDense: number,
    private endOfDense: number,
  ) {}

  /**
   * Creates the file under a temporary name with everything but the matrices.
   *
   * @param spareBytes - kept free for a larger skeleton that `describe` may put in the place of this one
   * @throws InvalidInputError when the place is not writable or the specification contradicts itself
   * @throws ResourceExhaustedError when the disk has no room for the dense matrices
   */
  static async create(path: string, skeleton: H5adSkeleton, spareBytes = 0): Promise<H5adFileWriter> {
    if (skeleton.csr !== undefined && skeleton.dense?.X !== undefined) {
      throw new InvalidInputError('X cannot be both dense and sparse');
    }
    const dense = denseMatrices(skeleton);
    const file = await TemporaryFile.create(path);
    const described = await describeIn(file, skeleton, dense, dense.bytes);
    const begin = aligned(described.bytes + spareBytes);
    return new H5adFileWriter(file, skeleton, dense, described, begin, dense.place(begin));
  }

  /**
   * Puts another description of the same matrices in the place of the one the file was created with. They stay where they
   * are unless it reaches into them.
   *
   * @returns false when the matrices had to be moved: then every row has to be written again
   */
  async describe(skeleton: H5adSkeleton): Promise<boolean> {
    this.requireSameMatrices(skeleton);
    const fresh = await TemporaryFile.create(this.file.path);
    try {
      const before = this.described.bytes;
      this.described = await describeIn(fresh, skeleton, this.dense, 0);
      const { bytes } = this.described;
      const isInPlace = bytes <= this.beginOfDense;
      if (!isInPlace) {
        await this.file.use((handle) => handle.truncate(0));
        this.beginOfDense = aligned(bytes);
        this.endOfDense = this.dense.place(this.beginOfDense);
      }
      for (let at = 0; at < bytes; at += COPY_BYTES) {
        await this.file.writeAt(await fresh.readAt(at, Math.min(COPY_BYTES, bytes - at)), at);
      }
      if (before > bytes) await this.file.writeAt(new Uint8Array(before - bytes), bytes);
      return isInPlace;
    } finally {
      await fresh.discard();
    }
  }

  async writeRows(matrix: MatrixPath, rowBegin: number, data: MatrixRows): Promise<void> {
    await this.dense.writeRows(this.file, matrix, rowBegin, data);
  }

  csrAppender(): CsrAppender {
    const { csr, obs, var: genes } = this.skeleton;
    if (csr === undefined) throw new InvariantBrokenError(`${this.file.path} has no CSR matrix`);
    this.appender ??= new StreamingCsrAppender(this.file, csr, obs.index.length, genes.index.length, this.endOfDense);
    return this.appender;
  }

  settle(): Promise<void> {
    this.settling ??= this.complete();
    return this.settling;
  }

  async close(): Promise<void> {
    try {
      await this.settle();
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

  private async complete(): Promise<void> {
    await this.dense.patch(this.file, (path) => this.headerOf(path));
    const endOfFile = this.skeleton.csr === undefined ? this.endOfDense : await this.finishCsr();
    await patchEndOfFile(this.file, endOfFile);
    await this.file.use((handle) => handle.truncate(endOfFile));
    await this.file.sync();
  }

  /** @returns the end of the file */
  private async finishCsr(): Promise<number> {
    this.csrAppender();
    const { stored, position } = await (this.appender as StreamingCsrAppender).finish();
    const indptrAddress = aligned(position);
    await this.file.writeAt(new Uint8Array(stored.indptr.buffer), indptrAddress);
    const offsetType = stored.indptr instanceof Int32Array ? 'i32' : 'i64';
    const header = this.headerOf(CSR_PARTS.indptr);
    await patchContiguous(this.file, header, CSR_PARTS.indptr, [stored.indptr.length], indptrAddress, offsetType);
    const end = aligned(indptrAddress + stored.indptr.byteLength);
    const afterValues = await this.patchChunked(CSR_PARTS.values, stored.nnz, stored.values, end);
    return this.patchChunked(CSR_PARTS.indices, stored.nnz, stored.indices, afterValues);
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

  private requireSameMatrices({ obs, var: genes, csr }: H5adSkeleton): void {
    const { obs: rows, var: columns } = this.skeleton;
    const isSame = obs.index.length === rows.index.length && genes.index.length === columns.index.length;
    if (isSame && csr === undefined) return;
    throw new InvariantBrokenError(`${this.file.path} was described anew with other matrices`);
  }

  private headerOf(path: string): HeaderPositions {
    const header = this.described.headers.get(`/${path}`);
    if (header === undefined) throw new InvariantBrokenError(`the skeleton has no dataset ${path}`);
    return header;
  }
}

function denseMatrices(skeleton: H5adSkeleton): DenseMatrices {
  const nObs = skeleton.obs.index.length;
  const nVar = skeleton.var.index.length;
  const matrices = new DenseMatrices();
  if (skeleton.dense?.X !== undefined) matrices.add('X', skeleton.dense.X, nObs, nVar);
  for (const { name, dtype } of skeleton.dense?.layers ?? []) matrices.add(`layers/${name}`, dtype, nObs, nVar);
  for (const [name, { columns, dtype }] of Object.entries(skeleton.varm ?? {}))
    matrices.add(`varm/${name}`, dtype, nVar, columns);
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

/** Everything of a file but the matrices, as it was written. */
interface Described {
  readonly headers: ReadonlyMap<string, HeaderPositions>;
  readonly bytes: number;
}

/**
 * Writes everything but the matrices to an empty file, which is discarded when that fails.
 *
 * @param moreBytes - that the disk must have room for beside
 */
async function describeIn(
  file: TemporaryFile,
  skeleton: H5adSkeleton,
  dense: DenseMatrices,
  moreBytes: number,
): Promise<Described> {
  try {
    // Ahead of all else: HDF5 may abort instead of returning an error when the disk fills up under it.
    await file.requireRoom(estimateSkeletonBytes(skeleton) + moreBytes);
    const addresses = await writeSkeleton(file, skeleton, dense);
    const bytes = await file.sizeBytes();
    if ((await readEndOfFile(file)) !== bytes) {
      throw new InvariantBrokenError(`writing ${file.path}: HDF5 did not finish the skeleton`, {
        hint: 'check the room left on the disk',
      });
    }
    return { headers: await prepareHeaders(file, addresses), bytes };
  } catch (error) {
    // When HDF5 aborts it says nothing; the state of the disk does.
    const noRoom = await file.requireRoom(MIN_FILE_BYTES).catch((reason: unknown) => reason);
    await file.discard();
    throw error instanceof ShardexError ? error : toShardexError(noRoom ?? error, `writing ${file.path}`);
  }
}

/** @returns the address of every dataset's header */
async function writeSkeleton(
  file: TemporaryFile,
  skeleton: H5adSkeleton,
  dense: DenseMatrices,
): Promise<Map<string, number>> {
  const hdf5 = await Hdf5Skeleton.create(file.temporaryPath, file.path);
  try {
    writeEncoding(hdf5, '/', 'anndata', '0.1.0');
    for (const name of ['layers', 'obsm', 'obsp', 'varm', 'varp']) writeEmptyDict(hdf5, `/${name}`);
    writeDataFrame(hdf5, '/obs', skeleton.obs);
    writeDataFrame(hdf5, '/var', skeleton.var);
    writeDict(hdf5, '/uns', skeleton.uns);
    for (const [path, dtype] of dense.entries()) writeDensePlaceholder(hdf5, path, dtype);
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
