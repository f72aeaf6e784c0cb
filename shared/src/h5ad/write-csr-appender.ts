import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { InvalidInputError, InvariantBrokenError, toShardexError, type ShardexError } from '../errors/index.js';
import type { StoredChunk } from './write-chunk-index.js';
import type { TemporaryFile } from './write-temporary-file.js';
import type { CsrAppender, CsrSpec } from './write-types.js';

const compress = promisify(deflate);
/** Pairs of chunks that wait for compression or for the disk: enough to feed libuv's four threads. */
const MAX_PENDING = 6;

/** Both halves of the matrix: as many chunks of values as of column indices. */
export interface StoredCsr {
  readonly values: readonly StoredChunk[];
  readonly indices: readonly StoredChunk[];
  /** Row offsets, nRows + 1 of them. */
  readonly indptr: Int32Array | BigInt64Array;
  readonly nnz: number;
}

/**
 * Type of the row offsets: as narrow as that of the column indices wherever a matrix of this shape cannot outgrow it.
 * scipy's in-place operations, and with them scanpy, refuse a matrix whose offsets and indices differ in width.
 */
export const rowOffsetType = (nRows: number, nColumns: number): 'i32' | 'i64' =>
  nRows * nColumns < 2 ** 31 ? 'i32' : 'i64';

/**
 * Cuts a stream of CSR rows into chunks, compresses them in libuv's threads and appends them to the file in order, so
 * that the bytes depend neither on timing nor on how the rows were grouped in calls.
 */
export class StreamingCsrAppender implements CsrAppender {
  nRows = 0;
  nnz = 0;
  private readonly storedValues: StoredChunk[] = [];
  private readonly storedIndices: StoredChunk[] = [];
  private readonly indptr: Int32Array | BigInt64Array;
  private values: Float32Array;
  private indices: Int32Array;
  private filled = 0;
  private readonly pending: Promise<void>[] = [];
  private lastWrite: Promise<void> = Promise.resolve();
  private failure: ShardexError | null = null;

  /** @param position - where the first chunk goes */
  constructor(
    private readonly file: TemporaryFile,
    private readonly spec: CsrSpec,
    private readonly totalRows: number,
    private readonly nColumns: number,
    private position: number,
  ) {
    const isNarrow = rowOffsetType(totalRows, nColumns) === 'i32';
    this.indptr = isNarrow ? new Int32Array(totalRows + 1) : new BigInt64Array(totalRows + 1);
    this.values = new Float32Array(spec.chunkElements);
    this.indices = new Int32Array(spec.chunkElements);
  }

  async append(indices: Int32Array, values: Float32Array, rowNnz: Int32Array): Promise<void> {
    this.addRows(indices, values, rowNnz);
    for (let from = 0; from < indices.length;) {
      const count = Math.min(indices.length - from, this.spec.chunkElements - this.filled);
      this.indices.set(indices.subarray(from, from + count), this.filled);
      this.values.set(values.subarray(from, from + count), this.filled);
      this.filled += count;
      from += count;
      if (this.filled === this.spec.chunkElements) await this.flushChunk();
    }
  }

  /**
   * Writes what is left.
   *
   * @returns where everything is, and the next free position of the file
   */
  async finish(): Promise<{ stored: StoredCsr; position: number }> {
    if (this.nRows !== this.totalRows) {
      throw new InvariantBrokenError(`X has ${this.totalRows} rows but ${this.nRows} were written`);
    }
    // Chunks are stored whole; what lies beyond the end is zero.
    this.values.fill(0, this.filled);
    this.indices.fill(0, this.filled);
    if (this.filled > 0) await this.flushChunk();
    await this.settle();
    const { storedValues, storedIndices, indptr, nnz, position } = this;
    return { stored: { values: storedValues, indices: storedIndices, indptr, nnz }, position };
  }

  /** Waits for running writes without reporting their failures, before the file is closed under them. */
  async drain(): Promise<void> {
    await Promise.allSettled(this.pending);
  }

  private addRows(indices: Int32Array, values: Float32Array, rowNnz: Int32Array): void {
    if (this.nRows + rowNnz.length > this.totalRows) {
      throw new InvariantBrokenError(`X has ${this.totalRows} rows; row ${this.totalRows} cannot be appended`);
    }
    let total = 0;
    for (const count of rowNnz) total += count;
    if (total !== indices.length || total !== values.length) {
      throw new InvariantBrokenError(
        `rows of ${total} nonzeros came with ${indices.length} indices and ${values.length} values`,
      );
    }
    for (const index of indices) {
      if (index < 0 || index >= this.nColumns) {
        throw new InvalidInputError(`column ${index} does not exist in a matrix of ${this.nColumns} columns`);
      }
    }
    for (const count of rowNnz) {
      this.nnz += count;
      this.nRows++;
      if (this.indptr instanceof Int32Array) this.indptr[this.nRows] = this.nnz;
      else this.indptr[this.nRows] = BigInt(this.nnz);
    }
  }

  private async flushChunk(): Promise<void> {
    const { values, indices } = this;
    const level = { level: this.spec.gzipLevel };
    const compressed = Promise.all([compress(bytesOf(values), level), compress(bytesOf(indices), level)]);
    const written = Promise.all([compressed, this.lastWrite]).then(async ([[valueBytes, indexBytes]]) => {
      this.storedValues.push(await this.store(valueBytes));
      this.storedIndices.push(await this.store(indexBytes));
    });
    this.lastWrite = written;
    const settled = written.catch((error: unknown) => {
      this.failure ??= toShardexError(error, `writing ${this.file.path}`);
    });
    this.pending.push(settled);
    this.values = new Float32Array(this.spec.chunkElements);
    this.indices = new Int32Array(this.spec.chunkElements);
    this.filled = 0;
    if (this.pending.length > MAX_PENDING) await this.pending.shift();
    if (this.failure !== null) throw this.failure;
  }

  private async settle(): Promise<void> {
    await Promise.all(this.pending);
    if (this.failure !== null) throw this.failure;
  }

  private async store(bytes: Uint8Array): Promise<StoredChunk> {
    const address = this.position;
    this.position += bytes.byteLength;
    await this.file.writeAt(bytes, address);
    return { address, sizeBytes: bytes.byteLength };
  }
}

const bytesOf = (array: Float32Array | Int32Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
