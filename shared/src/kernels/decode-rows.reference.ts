import type { CompactValueKind } from './compact-rows.js';

export interface DecodedRows {
  readonly indptr: number[];
  readonly indices: number[];
  readonly values: number[];
}

/** The plain twin of `CompactRowDecoder`: reads the format as its description says, one byte after the other. */
export function decodeRowsReference(
  kind: CompactValueKind,
  bytes: Uint8Array,
  rowOffsets: ArrayLike<number>,
  geneBegin: number,
  geneEnd: number,
): DecodedRows {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const result: DecodedRows = { indptr: [0], indices: [], values: [] };
  for (let row = 0; row + 1 < rowOffsets.length; row++) {
    let at = rowOffsets[row];
    let gene = -1;
    const escaped = (): number => {
      const small = view.getUint8(at);
      at += small === 255 ? 5 : 1;
      return small === 255 ? view.getUint32(at - 4, true) : small;
    };
    while (at < rowOffsets[row + 1]) {
      gene += escaped() + 1;
      let value: number;
      if (kind === 'count') value = escaped();
      else {
        value = view.getFloat64(at, true);
        at += 8;
      }
      if (gene >= geneBegin && gene < geneEnd) {
        result.indices.push(gene - geneBegin);
        result.values.push(value);
      }
    }
    result.indptr.push(result.indices.length);
  }
  return result;
}
