import { MAX_COMPACT_BYTES, type CompactValueKind } from './compact-rows.js';
import type { KernelHeap } from './kernel-heap.js';

/** Rows as they come from a file: a `CsrBlock`. */
export interface FileRows {
  readonly nRows: number;
  /** nRows + 1 offsets, the first 0. */
  readonly indptr: Uint32Array;
  /** Strictly ascending within a row. */
  readonly indices: Uint32Array;
  readonly values: Float32Array | Float64Array;
}

export interface EncoderLimits {
  readonly nGenes: number;
  /** Most rows in one call. */
  readonly maxRows: number;
  /** Most nonzeros in one call. */
  readonly maxNonzeros: number;
}

/** What is known of the rows of one call; arrays in the heap, valid until the next. */
export interface RowSums {
  /** Position of the first value that is refused, −1 when all are accepted; the other sums are then meaningless. */
  readonly refused: number;
  /** Σ of each row, all rows; f64. */
  readonly totals: Float64Array;
  /** Encoded bytes of each row, 0 of a row that was not kept; u32. */
  readonly rowBytes: Uint32Array;
}

/**
 * Checks rows, adds them up and writes those that are kept in compact form, one behind the other.
 *
 * A count is a whole number from 0 to 2^32 − 1, a real number any from 0 up that is finite. A row is kept when its group is
 * not negative and it has at least `leastNonzeros`, of counts at least one. Sums of counts are exact; those of real numbers
 * are taken in order of genes. Cost about 3 ns a nonzero.
 */
export class RowEncoder {
  /** Rows kept that have each gene; u32 in the heap. */
  readonly geneCells: Uint32Array;
  /** Σ of each gene over the rows kept; f64 in the heap. 0 for real numbers, whose sums would depend on the order of rows. */
  readonly geneTotals: Float64Array;
  private readonly indptr: Uint32Array;
  private readonly indices: Uint32Array;
  private readonly values: Float64Array;
  private readonly groups: Int32Array;
  private readonly totals: Float64Array;
  private readonly rowBytes: Uint32Array;
  /** Where the encoded bytes begin: they grow at the end of the heap. */
  private readonly mark: number;
  private bytes: Uint8Array;

  /** @param heap - nothing else may be allocated in it while rows are added */
  constructor(
    private readonly heap: KernelHeap,
    private readonly kind: CompactValueKind,
    { nGenes, maxRows, maxNonzeros }: EncoderLimits,
  ) {
    this.geneCells = heap.u32(nGenes);
    this.geneTotals = heap.f64(nGenes);
    this.indptr = heap.uninitialised(Uint32Array, maxRows + 1);
    this.indices = heap.uninitialised(Uint32Array, maxNonzeros);
    this.values = heap.uninitialised(Float64Array, maxNonzeros);
    this.groups = heap.uninitialised(Int32Array, maxRows);
    this.totals = heap.uninitialised(Float64Array, maxRows);
    this.rowBytes = heap.uninitialised(Uint32Array, maxRows);
    this.mark = heap.mark();
    this.bytes = heap.uninitialised(Uint8Array, 0);
  }

  /** The rows kept so far; in the heap, valid until the next call of `add`. */
  get encoded(): Uint8Array {
    return this.bytes;
  }

  /**
   * Takes rows.
   *
   * @param rowGroups - group of each row, negative for rows that are only added up
   * @param leastNonzeros - rows with fewer are only added up
   */
  add(rows: FileRows, rowGroups: Int32Array, leastNonzeros: number): RowSums {
    const { heap, kind, bytes } = this;
    const { nRows } = rows;
    const n = rows.indptr[nRows];
    this.indptr.set(rows.indptr.subarray(0, nRows + 1));
    this.indices.set(rows.indices.subarray(0, n));
    this.groups.set(rowGroups.subarray(0, nRows));
    // Single precision is copied as it is; real numbers are widened here.
    const isSingle = kind === 'count' && rows.values instanceof Float32Array;
    const values = isSingle ? new Float32Array(this.values.buffer, this.values.byteOffset, n) : this.values;
    values.set(rows.values.subarray(0, n));

    this.reach(bytes.length + n * MAX_COMPACT_BYTES[kind]);
    const target = this.bytes.byteOffset + bytes.length;
    const [indptr, genes, groups, totals, rowBytes, geneTotals, geneCells] = [
      this.indptr,
      this.indices,
      this.groups,
      this.totals,
      this.rowBytes,
      this.geneTotals,
      this.geneCells,
    ].map(({ byteOffset }) => byteOffset);
    const from = [indptr, genes, values.byteOffset, nRows, groups, leastNonzeros] as const;
    const refused =
      kind === 'count'
        ? heap.exports[isSingle ? 'encodeCountRows32' : 'encodeCountRows64'](
            ...from,
            target,
            totals,
            rowBytes,
            geneTotals,
            geneCells,
          )
        : heap.exports.encodeRealRows(...from, target, totals, rowBytes, geneCells);
    if (refused < 0) {
      let end = bytes.length;
      for (let row = 0; row < nRows; row++) end += this.rowBytes[row];
      this.reach(end);
    }
    return { refused, totals: this.totals, rowBytes: this.rowBytes };
  }

  /**
   * The rows kept in another order, one behind the other; in the heap, valid until the next call of `add`.
   *
   * @param offsets - where each of the rows begins in `encoded`, and the end
   * @param order - of the rows
   */
  inOrder(offsets: Uint32Array, order: Uint32Array): Uint8Array {
    const { heap, bytes } = this;
    const target = heap.uninitialised(Uint8Array, bytes.length);
    heap.scoped(() => {
      const [from, rows] = [heap.copyU32(offsets), heap.copyU32(order)];
      heap.exports.copyRows(bytes.byteOffset, from.byteOffset, rows.byteOffset, order.length, target.byteOffset);
    });
    return target;
  }

  /** Makes the encoded bytes this long; those that were there stay. */
  private reach(length: number): void {
    this.heap.release(this.mark);
    this.bytes = this.heap.uninitialised(Uint8Array, length);
  }
}
