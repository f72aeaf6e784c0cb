import type { CompactValueKind } from './compact-rows.js';
import type { FileRows } from './encode-rows.js';

export interface EncodedRows {
  readonly refused: number;
  readonly totals: number[];
  readonly rowBytes: number[];
  readonly geneCells: number[];
  readonly geneTotals: number[];
  readonly encoded: number[];
}

/** The plain twin of `RowEncoder`: one value after the other, one byte after the other. */
export function encodeRowsReference(
  kind: CompactValueKind,
  rows: FileRows,
  rowGroups: ArrayLike<number>,
  leastNonzeros: number,
  nGenes: number,
): EncodedRows {
  const result: EncodedRows = {
    refused: rows.values.subarray(0, rows.indptr[rows.nRows]).findIndex((value: number) => !isAccepted(kind, value)),
    totals: [],
    rowBytes: [],
    geneCells: new Array<number>(nGenes).fill(0),
    geneTotals: new Array<number>(nGenes).fill(0),
    encoded: [],
  };
  for (let row = 0; row < rows.nRows; row++) {
    const [begin, end] = [rows.indptr[row], rows.indptr[row + 1]];
    const least = kind === 'count' ? Math.max(1, leastNonzeros) : leastNonzeros;
    const isKept = rowGroups[row] >= 0 && end - begin >= least;
    const length = result.encoded.length;
    let total = 0;
    for (let i = begin; i < end; i++) {
      const [gene, value] = [rows.indices[i], rows.values[i]];
      total += value;
      if (!isKept) continue;
      const bytes = kind === 'count' ? escaped(value) : new Uint8Array(Float64Array.of(value).buffer);
      result.encoded.push(...escaped(i === begin ? gene : gene - rows.indices[i - 1] - 1), ...bytes);
      result.geneCells[gene]++;
      if (kind === 'count') result.geneTotals[gene] += value;
    }
    result.totals.push(total);
    result.rowBytes.push(result.encoded.length - length);
  }
  return result;
}

const isAccepted = (kind: CompactValueKind, value: number): boolean =>
  value >= 0 && (kind === 'count' ? value < 2 ** 32 && Number.isInteger(value) : value < Infinity);

const escaped = (value: number): number[] =>
  value < 255 ? [value] : [255, ...new Uint8Array(Uint32Array.of(value).buffer)];
