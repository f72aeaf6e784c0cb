/**
 * The compact form in which rows wait on scratch, about two bytes a nonzero.
 *
 * A row is a run of bytes. For each nonzero, in ascending gene order: the gap to the previous gene (gene − previous − 1,
 * the first relative to −1) as one byte, or 255 and a little-endian u32 when it is 255 or more; then the value. A count is
 * one byte, or 255 and a little-endian u32 when it is 255 or more; a real number is a little-endian f64.
 */
export type CompactValueKind = 'count' | 'real';

/** Longest encoding of one nonzero, in bytes. */
export const MAX_COMPACT_BYTES: Readonly<Record<CompactValueKind, number>> = { count: 10, real: 13 };

const ESCAPE = 255;

/** Appends rows to one growing buffer. */
export class CompactRowEncoder {
  private bytes: Uint8Array;
  private view: DataView;
  private end = 0;

  constructor(
    readonly kind: CompactValueKind,
    initialBytes = 1 << 20,
  ) {
    this.bytes = new Uint8Array(initialBytes);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Number of bytes written so far: the offset at which the next row begins. */
  get length(): number {
    return this.end;
  }

  /** The bytes written so far; valid until the next append. */
  get encoded(): Uint8Array {
    return this.bytes.subarray(0, this.end);
  }

  clear(): void {
    this.end = 0;
  }

  /**
   * Appends one row.
   *
   * @param genes - ascending gene indices; the row is [begin, end) of it
   * @param values - parallel to `genes`; whole numbers from 1 to 2^32 − 1 for kind `count`
   */
  append(genes: Uint32Array, values: ArrayLike<number>, begin: number, end: number): void {
    this.reserve((end - begin) * MAX_COMPACT_BYTES[this.kind]);
    const { bytes, view } = this;
    const isCount = this.kind === 'count';
    let at = this.end;
    let previous = -1;
    for (let i = begin; i < end; i++) {
      const gene = genes[i];
      const gap = gene - previous - 1;
      previous = gene;
      if (gap < ESCAPE) bytes[at++] = gap;
      else {
        bytes[at] = ESCAPE;
        view.setUint32(at + 1, gap, true);
        at += 5;
      }
      const value = values[i];
      if (isCount) {
        if (value < ESCAPE) bytes[at++] = value;
        else {
          bytes[at] = ESCAPE;
          view.setUint32(at + 1, value, true);
          at += 5;
        }
      } else {
        view.setFloat64(at, value, true);
        at += 8;
      }
    }
    this.end = at;
  }

  private reserve(extra: number): void {
    if (this.end + extra <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.end + extra, Math.ceil(this.bytes.length * 1.5)));
    grown.set(this.encoded);
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}
