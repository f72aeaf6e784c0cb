import type { CompactValueKind } from './compact-rows.js';
import type { HeapRows } from './heap-rows.js';
import type { KernelHeap } from './kernel-heap.js';

/** Rows of real numbers in the kernel heap: the counterpart of `HeapRows` for input that is not counts. */
export interface HeapRealRows {
  readonly nRows: number;
  readonly indptr: Uint32Array;
  readonly indices: Uint32Array;
  readonly values: Float64Array;
}

export interface DecoderLimits {
  /** Most rows in one call. */
  readonly maxRows: number;
  /** Most nonzeros in one call. */
  readonly maxNonzeros: number;
  /** Most encoded bytes in one call. */
  readonly maxBytes: number;
}

const WORD_BYTES = 8;

/**
 * Decodes compact rows into the kernel heap, a block at a time.
 *
 * The arrays of a result are this decoder's own buffers: they hold until its next call. Cost about 2 ns a nonzero.
 */
export class CompactRowDecoder {
  private readonly source: Uint8Array;
  private readonly rowOffsets: Uint32Array;
  private readonly indptr: Uint32Array;
  private readonly indices: Uint32Array;
  private readonly counts: Uint32Array;
  private readonly values: Float64Array;

  constructor(
    private readonly heap: KernelHeap,
    readonly kind: CompactValueKind,
    limits: DecoderLimits,
  ) {
    this.source = heap.uninitialised(Uint8Array, limits.maxBytes + WORD_BYTES);
    this.rowOffsets = heap.u32(limits.maxRows + 1);
    this.indptr = heap.u32(limits.maxRows + 1);
    this.indices = heap.uninitialised(Uint32Array, limits.maxNonzeros);
    this.counts = heap.uninitialised(Uint32Array, kind === 'count' ? limits.maxNonzeros : 0);
    this.values = heap.uninitialised(Float64Array, kind === 'real' ? limits.maxNonzeros : 0);
  }

  /**
   * Decodes rows of counts.
   *
   * @param bytes - the rows' bytes; copied into the heap unless they lie there
   * @param rowOffsets - nRows + 1 ascending offsets; `bytes` begins at rowOffsets[0]
   * @param geneBegin - genes below are left out, and genes are numbered from here
   * @param geneEnd - genes from here on are left out
   */
  decodeCounts(bytes: Uint8Array, rowOffsets: Uint32Array, geneBegin: number, geneEnd: number): HeapRows {
    const nRows = this.decode('decodeCountRows', bytes, rowOffsets, geneBegin, geneEnd, this.counts);
    return { nRows, indptr: this.indptr, indices: this.indices, counts: this.counts };
  }

  /** The same for rows of real numbers. */
  decodeReals(bytes: Uint8Array, rowOffsets: Uint32Array, geneBegin: number, geneEnd: number): HeapRealRows {
    const nRows = this.decode('decodeRealRows', bytes, rowOffsets, geneBegin, geneEnd, this.values);
    return { nRows, indptr: this.indptr, indices: this.indices, values: this.values };
  }

  private decode(
    kernel: 'decodeCountRows' | 'decodeRealRows',
    bytes: Uint8Array,
    rowOffsets: Uint32Array,
    geneBegin: number,
    geneEnd: number,
    values: Uint32Array | Float64Array,
  ): number {
    const nRows = rowOffsets.length - 1;
    const base = rowOffsets[0];
    const from = this.heap.holds(bytes) ? bytes.byteOffset : this.copyIn(bytes);
    for (let row = 0; row <= nRows; row++) this.rowOffsets[row] = rowOffsets[row] - base;
    const [offsets, to, genes] = [this.rowOffsets, this.indptr, this.indices].map(({ byteOffset }) => byteOffset);
    this.heap.exports[kernel](from, offsets, nRows, geneBegin, geneEnd, to, genes, values.byteOffset);
    return nRows;
  }

  /** @returns the address of the copy */
  private copyIn(bytes: Uint8Array): number {
    // As far from a word's beginning as `bytes`: memory that threads may share is otherwise copied byte by byte.
    const shift = bytes.byteOffset % WORD_BYTES;
    this.source.set(bytes, shift);
    return this.source.byteOffset + shift;
  }
}

/**
 * Writes the rank keys of a block gene by gene: keys[cursors[gene]++] = count / total of the cell, or the value itself.
 *
 * @param rows - a block's, or consecutive ones of it: indptr need not begin at 0
 * @param cursors - u32 per gene in the heap: next free slot of the gene's segment; advanced
 * @param keys - f64 in the heap
 * @param totals - f64 per row in the heap; not used for real rows
 */
export function scatterKeys(
  heap: KernelHeap,
  rows: HeapRows | HeapRealRows,
  totals: Float64Array,
  cursors: Uint32Array,
  keys: Float64Array,
): void {
  if ('counts' in rows) {
    heap.exports.scatterCountKeys(
      rows.indptr.byteOffset,
      rows.indices.byteOffset,
      rows.counts.byteOffset,
      rows.nRows,
      totals.byteOffset,
      cursors.byteOffset,
      keys.byteOffset,
    );
    return;
  }
  heap.exports.scatterRealKeys(
    rows.indptr.byteOffset,
    rows.indices.byteOffset,
    rows.values.byteOffset,
    rows.nRows,
    cursors.byteOffset,
    keys.byteOffset,
  );
}
