import type { BundleReader, ScanSummary } from '@shardex/shared/artifacts';
import { CancelledError } from '@shardex/shared/errors';
import {
  CompactRowDecoder,
  MAX_COMPACT_BYTES,
  type CompactValueKind,
  type HeapRealRows,
  type HeapRows,
  type KernelHeap,
} from '@shardex/shared/kernels';

/** A block of one group's cells, decoded into the kernel heap; valid until the next block. */
export interface GroupBlock {
  readonly rows: HeapRows | HeapRealRows;
  /** Index of each cell in the file, rows.nRows long; outside the heap. */
  readonly cells: Uint32Array;
  /** Sum over all genes of each cell, f64 in the heap, rows.nRows long. */
  readonly totals: Float64Array;
  /** Size factor of each cell, f64 in the heap, rows.nRows long. */
  readonly sizeFactors: Float64Array;
}

/** What is known of every cell of the file, by row index. */
export interface CellTable {
  readonly total: Float64Array;
  readonly sizeFactor: Float64Array;
}

/** Rows and nonzeros of one block: 12 MB of heap, small enough to stay near the caches. */
const BLOCK_ROWS = 8192;
const BLOCK_NONZEROS = 1 << 20;

interface Segment {
  readonly reader: BundleReader<ScanSummary>;
  /** First row of each group of the range, and the end: groups + 1 indices into the scan output's rows. */
  readonly groupRows: Uint32Array;
  /** Row in the file, byte offset and nonzeros of the rows of the range. */
  readonly rowIds: Uint32Array;
  readonly rowOffsets: Uint32Array;
  readonly rowNonzeros: Uint32Array;
  /** The range's bytes when they were read ahead. */
  bytes: Uint8Array | null;
}

export interface GroupRowsOptions {
  readonly kind: CompactValueKind;
  readonly nGenes: number;
  /** Read the whole range at once when it is no larger than this many bytes; otherwise stream it. */
  readonly prefetchBytes: number;
  readonly signal: AbortSignal;
}

/**
 * The cells of a range of groups, collected from every scan output in file order.
 *
 * The order of a group's cells depends on the file alone, never on how the scan was sharded: this is where results become
 * independent of shard sizes.
 */
export class GroupRows {
  bytesRead = 0;
  private readonly totals: Float64Array;
  private readonly sizeFactors: Float64Array;
  private readonly decoder: CompactRowDecoder;
  private readonly maxNonzeros: number;

  private constructor(
    private readonly heap: KernelHeap,
    private readonly segments: readonly Segment[],
    private readonly cells: CellTable,
    readonly groupBegin: number,
    private readonly options: GroupRowsOptions,
  ) {
    this.maxNonzeros = Math.max(BLOCK_NONZEROS, options.nGenes);
    this.decoder = new CompactRowDecoder(heap, options.kind, {
      maxRows: BLOCK_ROWS,
      maxNonzeros: this.maxNonzeros,
      maxBytes: this.maxNonzeros * MAX_COMPACT_BYTES[options.kind],
    });
    this.totals = heap.f64(BLOCK_ROWS);
    this.sizeFactors = heap.f64(BLOCK_ROWS);
  }

  static async open(
    heap: KernelHeap,
    scans: readonly BundleReader<ScanSummary>[],
    cells: CellTable,
    groupBegin: number,
    groupEnd: number,
    options: GroupRowsOptions,
  ): Promise<GroupRows> {
    // All at once: on remote storage each read is mostly waiting.
    const opened = await Promise.all(scans.map((reader) => openSegment(reader, groupBegin, groupEnd)));
    const segments = opened.filter((segment) => segment !== null);
    const rows = new GroupRows(heap, segments, cells, groupBegin, options);
    await rows.prefetch();
    return rows;
  }

  /** Number of cells of a group. */
  cellsOf(group: number): number {
    const g = group - this.groupBegin;
    return this.segments.reduce((sum, segment) => sum + segment.groupRows[g + 1] - segment.groupRows[g], 0);
  }

  /** Number of nonzeros of a group. */
  nonzerosOf(group: number): number {
    const g = group - this.groupBegin;
    let sum = 0;
    for (const { groupRows, rowNonzeros } of this.segments) {
      for (let row = groupRows[g]; row < groupRows[g + 1]; row++) sum += rowNonzeros[row];
    }
    return sum;
  }

  /**
   * The group's cells in file order, genes [geneBegin, geneEnd) only, numbered from geneBegin.
   *
   * @throws CancelledError when the task was abandoned
   */
  async *blocks(group: number, geneBegin = 0, geneEnd = this.options.nGenes): AsyncGenerator<GroupBlock> {
    const g = group - this.groupBegin;
    for (const segment of this.segments) {
      const last = segment.groupRows[g + 1];
      for (let begin = segment.groupRows[g]; begin < last;) {
        if (this.options.signal.aborted) throw new CancelledError('the task was abandoned');
        let end = begin;
        let nonzeros = 0;
        while (end < last && end - begin < BLOCK_ROWS) {
          nonzeros += segment.rowNonzeros[end];
          if (nonzeros > this.maxNonzeros) break;
          end++;
        }
        yield await this.decode(segment, begin, end, geneBegin, geneEnd);
        begin = end;
      }
    }
  }

  /** Reads the whole range unless that is too much: into the heap, where its checked blocks leave room for the task's own arrays. */
  private async prefetch(): Promise<void> {
    const { heap, segments, options } = this;
    const ranges = segments.map((segment) => {
      const { reader, rowOffsets } = segment;
      const [begin, end] = [rowOffsets[0], rowOffsets[rowOffsets.length - 1]];
      return { segment, begin, end, room: reader.roomForU8('rows', begin, end) };
    });
    if (ranges.reduce((sum, { begin, end }) => sum + end - begin, 0) > options.prefetchBytes) return;
    const isHeapWide = ranges.reduce((sum, { room }) => sum + room, 0) <= heap.bytesAvailable / 2;
    // All at once: on remote storage each read is mostly waiting.
    const reads = ranges.map(async ({ segment, begin, end, room }) => {
      const target = isHeapWide ? heap.uninitialised(Uint8Array, room) : new Uint8Array(room);
      this.bytesRead += end - begin;
      segment.bytes = await segment.reader.u8Into('rows', begin, end, target);
    });
    try {
      await Promise.all(reads);
    } finally {
      // After a failure the next task gets the heap: nothing may still be written into it.
      await Promise.allSettled(reads);
    }
  }

  private async read(segment: Segment, begin: number, end: number): Promise<Uint8Array> {
    this.bytesRead += end - begin;
    return segment.reader.u8('rows', begin, end);
  }

  private async decode(
    segment: Segment,
    begin: number,
    end: number,
    geneBegin: number,
    geneEnd: number,
  ): Promise<GroupBlock> {
    const offsets = segment.rowOffsets.subarray(begin, end + 1);
    const from = offsets[0];
    const to = offsets[offsets.length - 1];
    const base = segment.rowOffsets[0];
    const bytes = segment.bytes?.subarray(from - base, to - base) ?? (await this.read(segment, from, to));
    const cells = segment.rowIds.subarray(begin, end);
    for (const [row, cell] of cells.entries()) {
      this.totals[row] = this.cells.total[cell];
      this.sizeFactors[row] = this.cells.sizeFactor[cell];
    }
    const rows =
      this.options.kind === 'count'
        ? this.decoder.decodeCounts(bytes, offsets, geneBegin, geneEnd)
        : this.decoder.decodeReals(bytes, offsets, geneBegin, geneEnd);
    return { rows, cells, totals: this.totals, sizeFactors: this.sizeFactors };
  }
}

/** The part of a scan output that holds the groups [groupBegin, groupEnd), null when it has none of their cells. */
async function openSegment(
  reader: BundleReader<ScanSummary>,
  groupBegin: number,
  groupEnd: number,
): Promise<Segment | null> {
  const groupRows = await reader.u32('groupRows', groupBegin, groupEnd + 1);
  const first = groupRows[0];
  const last = groupRows[groupRows.length - 1];
  if (first === last) return null;
  const [rowIds, rowOffsets, rowNonzeros] = await Promise.all([
    reader.u32('rowIds', first, last),
    reader.u32('rowOffsets', first, last + 1),
    reader.u32('rowNonzeros', first, last),
  ]);
  return { reader, groupRows: groupRows.map((row) => row - first), rowIds, rowOffsets, rowNonzeros, bytes: null };
}
