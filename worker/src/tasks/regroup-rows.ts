export interface RegroupedRows {
  /** First row of each group, groups + 1 entries. */
  readonly groupRows: Uint32Array;
  /** Row in the file, sorted by group, then by row. */
  readonly rowIds: Uint32Array;
  /** Byte offset of each row in `rows`, and the end. */
  readonly rowOffsets: Uint32Array;
  readonly rowNonzeros: Uint32Array;
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
   * @param encoded - the rows' bytes in the order in which they were appended
   */
  finish(encoded: Uint8Array): RegroupedRows {
    const n = this.ids.length;
    const groupRows = new Uint32Array(this.nGroups + 1);
    for (const group of this.groups) groupRows[group + 1]++;
    for (let g = 0; g < this.nGroups; g++) groupRows[g + 1] += groupRows[g];
    const cursor = groupRows.slice();
    const order = new Uint32Array(n);
    for (let i = 0; i < n; i++) order[cursor[this.groups[i]]++] = i;

    const rows = new Uint8Array(encoded.length);
    const rowIds = new Uint32Array(n);
    const rowNonzeros = new Uint32Array(n);
    const rowOffsets = new Uint32Array(n + 1);
    for (let i = 0; i < n; i++) {
      const from = order[i];
      rowIds[i] = this.ids[from];
      rowNonzeros[i] = this.nonzeros[from];
      const bytes = encoded.subarray(this.offsets[from], this.offsets[from + 1]);
      rows.set(bytes, rowOffsets[i]);
      rowOffsets[i + 1] = rowOffsets[i] + bytes.length;
    }
    return { groupRows, rowIds, rowOffsets, rowNonzeros, rows };
  }
}
