import { CompactRowEncoder, type CompactValueKind } from '@shardex/shared/kernels';
import type { ValueArray } from '@shardex/shared/matrix';

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

/** Collects rows in file order and hands them out sorted by group, cells of a group staying in file order. */
export class RowRegrouper {
  private readonly encoder: CompactRowEncoder;
  private readonly ids: number[] = [];
  private readonly groups: number[] = [];
  private readonly nonzeros: number[] = [];
  private readonly offsets: number[] = [0];

  constructor(
    kind: CompactValueKind,
    private readonly nGroups: number,
  ) {
    this.encoder = new CompactRowEncoder(kind);
  }

  append(rowId: number, group: number, genes: Uint32Array, values: ValueArray, begin: number, end: number): void {
    this.encoder.append(genes, values, begin, end);
    this.ids.push(rowId);
    this.groups.push(group);
    this.nonzeros.push(end - begin);
    this.offsets.push(this.encoder.length);
  }

  /** Counting sort by group: stable, linear. */
  finish(): RegroupedRows {
    const n = this.ids.length;
    const groupRows = new Uint32Array(this.nGroups + 1);
    for (const group of this.groups) groupRows[group + 1]++;
    for (let g = 0; g < this.nGroups; g++) groupRows[g + 1] += groupRows[g];
    const cursor = groupRows.slice();
    const order = new Uint32Array(n);
    for (let i = 0; i < n; i++) order[cursor[this.groups[i]]++] = i;

    const encoded = this.encoder.encoded;
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
