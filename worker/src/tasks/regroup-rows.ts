import type { RowEncoder } from '@shardex/shared/kernels';

export interface RegroupedRows {
  /** First row of each group, groups + 1 entries. */
  readonly groupRows: Uint32Array;
  /** Row in the file, sorted by group, then by row. */
  readonly rowIds: Uint32Array;
  /** Byte offset of each row in `rows`, and the end. */
  readonly rowOffsets: Uint32Array;
  readonly rowNonzeros: Uint32Array;
  /** In the kernel heap. */
  readonly rows: Uint8Array;
}

/** Takes note of encoded rows in file order and hands them out sorted by group, cells of a group staying in file order. */
export class RowRegrouper {
  private readonly ids: number[] = [];
  private readonly groups: number[] = [];
  private readonly nonzeros: number[] = [];
  private readonly offsets: number[] = [0];

  constructor(private readonly nGroups: number) {}

  append(rowId: number, group: number, nonzeros: number, bytes: number): void {
    this.ids.push(rowId);
    this.groups.push(group);
    this.nonzeros.push(nonzeros);
    this.offsets.push(this.offsets[this.ids.length - 1] + bytes);
  }

  /**
   * Counting sort by group: stable, linear.
   *
   * @param encoder - has encoded the rows in the order in which they were appended
   */
  finish(encoder: RowEncoder): RegroupedRows {
    const n = this.ids.length;
    const groupRows = new Uint32Array(this.nGroups + 1);
    for (const group of this.groups) groupRows[group + 1]++;
    for (let g = 0; g < this.nGroups; g++) groupRows[g + 1] += groupRows[g];
    const cursor = groupRows.slice();
    const order = new Uint32Array(n);
    for (let i = 0; i < n; i++) order[cursor[this.groups[i]]++] = i;

    const offsets = Uint32Array.from(this.offsets);
    const rowIds = new Uint32Array(n);
    const rowNonzeros = new Uint32Array(n);
    const rowOffsets = new Uint32Array(n + 1);
    for (let i = 0; i < n; i++) {
      const from = order[i];
      rowIds[i] = this.ids[from];
      rowNonzeros[i] = this.nonzeros[from];
      rowOffsets[i + 1] = rowOffsets[i] + offsets[from + 1] - offsets[from];
    }
    return { groupRows, rowIds, rowOffsets, rowNonzeros, rows: encoder.inOrder(offsets, order) };
  }
}
