import type { SizeFactorMethod } from './de-parameters.js';

/**
 * The methods that compare every cell with a reference profile of the genes; they need one more pass over the rows.
 *
 * - `sparse`: geometric mean of a gene over the cells that express it; median over the genes of the cell
 * - `ratio`: geometric mean over all cells, genes expressed in every cell only
 * - `poscounts`: n-th root of the product of a gene's positive counts, n being all cells
 * - `pydeseq2-poscounts`: the same without the genes whose root is 1 or less, which PyDESeq2 drops
 */
export const RATIO_METHODS = ['sparse', 'ratio', 'poscounts', 'pydeseq2-poscounts'] as const;
export type RatioMethod = (typeof RATIO_METHODS)[number];

export const isRatioMethod = (method: string): method is RatioMethod =>
  (RATIO_METHODS as readonly string[]).includes(method);

const COLUMN_PREFIX = 'obs:';

/** The column of obs that a method names; null when it computes them. */
export const sizeFactorColumn = (method: SizeFactorMethod): string | null =>
  method.startsWith(COLUMN_PREFIX) ? method.slice(COLUMN_PREFIX.length) : null;

/** The method of this name; null when there is none. */
export function sizeFactorMethod(text: string): SizeFactorMethod | null {
  if (text === 'total' || isRatioMethod(text)) return text;
  return text.startsWith(COLUMN_PREFIX) && text.length > COLUMN_PREFIX.length ? (text as `obs:${string}`) : null;
}
