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

/** Elements beyond a call's nonzeros that whoever fills the arrays may need: those of a few chunks of a file. */
const SPARE_ELEMENTS = 1 << 19;

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
    const capacity = maxNonzeros + SPARE_ELEMENTS;
    this.geneCells = heap.u32(nGenes);
    this.geneTotals = heap.f64(nGenes);
    this.indptr = heap.uninitialised(Uint32Array, maxRows + 1);
    this.indices = heap.uninitialised(Uint32Array, capacity);
    this.values = heap.uninitialised(Float64Array, capacity);
    this.groups = heap.uninitialised(Int32Array, maxRows);
    this.totals = heap.uninitialised(Float64Array, maxRows);
    this.rowBytes = heap.uninitialised(Uint32Array, maxRows);
    this.mark = heap.mark();
    this.bytes = heap.uninitialised(Uint8Array, 0);
  }

  /**
   * An array in the heap to read indices into, so that `add` need not copy them; the same one every time, and meanwhile rows
   * of other arrays must not be added.
   *
   * @returns null where it would be too long
   */
  roomForIndices(length: number): Uint32Array | null {
    return length <= this.indices.length ? this.indices.subarray(0, length) : null;
  }

  /** The same for values; null also where they are widened on their way: single precision that is not counts. */
  roomForValues(
    constructor: Float32ArrayConstructor | Float64ArrayConstructor,
    length: number,
  ): FileRows['values'] | null {
    if (length > this.values.length || !this.takesAsIs(constructor)) return null;
    const { buffer, byteOffset } = this.values;
    return new constructor(buffer as ArrayBuffer, byteOffset, length);
  }

  /**
   * The first row that is not strictly ascending, within range and free of zeros; nRows when all are.
   *
   * @returns null for rows that are not in the heap
   */
  firstIrregularRow({ nRows, indptr, indices, values }: FileRows, nColumns: number): number | null {
    const { heap } = this;
    if (!heap.holds(indices) || !heap.holds(values)) return null;
    this.indptr.set(indptr.subarray(0, nRows + 1));
    const kernel = values instanceof Float32Array ? 'firstIrregularRow32' : 'firstIrregularRow64';
    const [at, columns] = [this.indptr.byteOffset, indices.byteOffset];
    return heap.exports[kernel](at, columns, values.byteOffset, nRows, nColumns) >>> 0;
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
    this.groups.set(rowGroups.subarray(0, nRows));
    const indices = this.inHeap(rows.indices.subarray(0, n), this.indices);
    const values = this.valuesInHeap(rows.values.subarray(0, n));

    this.reach(bytes.length + n * MAX_COMPACT_BYTES[kind]);
    const target = this.bytes.byteOffset + bytes.length;
    const [indptr, genes, groups, totals, rowBytes, geneTotals, geneCells] = [
      this.indptr,
      indices,
      this.groups,
      this.totals,
      this.rowBytes,
      this.geneTotals,
      this.geneCells,
    ].map(({ byteOffset }) => byteOffset);
    const from = [indptr, genes, values.byteOffset, nRows, groups, leastNonzeros] as const;
    const refused =
      kind === 'count'
        ? heap.exports[values instanceof Float32Array ? 'encodeCountRows32' : 'encodeCountRows64'](
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

  /** Whether values of this type are not widened on their way: single precision of counts, and doubles. */
  private takesAsIs(constructor: unknown): boolean {
    return constructor === Float64Array || this.kind === 'count';
  }

  private valuesInHeap(values: Float32Array | Float64Array): Float32Array | Float64Array {
    const isSingle = values instanceof Float32Array && this.takesAsIs(Float32Array);
    const { buffer, byteOffset } = this.values;
    return this.inHeap(values, isSingle ? new Float32Array(buffer, byteOffset, values.length) : this.values);
  }

  /** The elements themselves where they lie in the heap as they are wanted, or a copy of them in `room`. */
  private inHeap<View extends Uint32Array | Float32Array | Float64Array>(
    elements: Uint32Array | Float32Array | Float64Array,
    room: View,
  ): View {
    if (this.heap.holds(elements) && elements.constructor === room.constructor) return elements as View;
    room.set(elements);
    return room;
  }

  /** Makes the encoded bytes this long; those that were there stay. */
  private reach(length: number): void {
    this.heap.release(this.mark);
    this.bytes = this.heap.uninitialised(Uint8Array, length);
  }
}
