import type { HeapRealRows } from './decode-rows.js';
import type { HeapRows } from './heap-rows.js';
import { NORMALIZED_TOTAL } from './moment-accumulator.js';

/** Sums per gene, four a gene in the order of `MomentColumn`. */
export interface MomentSums {
  readonly sums: Float64Array;
  readonly nExpressing: Uint32Array;
}

/** The plain twin of `MomentAccumulator.addRows`: the terms of every nonzero worked out anew. */
export function countMomentsReference(
  nGenes: number,
  rows: HeapRows,
  totals: ArrayLike<number>,
  sizeFactors: ArrayLike<number>,
): MomentSums {
  return accumulate(nGenes, rows, (i, row) => {
    const normalized = (NORMALIZED_TOTAL * rows.counts[i]) / totals[row];
    return { x: Math.log1p(normalized), normalized, scaled: rows.counts[i] / sizeFactors[row] };
  });
}

/** The plain twin of `MomentAccumulator.addRealRows`. */
export function realMomentsReference(nGenes: number, rows: HeapRealRows): MomentSums {
  return accumulate(nGenes, rows, (i) => ({ x: rows.values[i], normalized: Math.expm1(rows.values[i]), scaled: 0 }));
}

function accumulate(
  nGenes: number,
  rows: HeapRows | HeapRealRows,
  termsOf: (nonzero: number, row: number) => { x: number; normalized: number; scaled: number },
): MomentSums {
  const sums = new Float64Array(4 * nGenes);
  const nExpressing = new Uint32Array(nGenes);
  for (let row = 0; row < rows.nRows; row++) {
    for (let i = rows.indptr[row]; i < rows.indptr[row + 1]; i++) {
      const gene = rows.indices[i];
      const { x, normalized, scaled } = termsOf(i, row);
      sums[4 * gene] += x;
      sums[4 * gene + 1] += x * x;
      sums[4 * gene + 2] += normalized;
      sums[4 * gene + 3] += scaled;
      nExpressing[gene]++;
    }
  }
  return { sums, nExpressing };
}
