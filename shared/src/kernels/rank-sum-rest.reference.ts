import { rankSumReference, type RankSumReference } from './rank-sum.reference.js';
import type { RankSumOptions } from './rank-sum.js';

/**
 * The plain twin of `rankSumAgainstRest` for one gene: each group in turn is ranked against the list of all other cells.
 *
 * @param values - value of every cell, zeros written out
 * @param groups - group of every cell
 * @returns one result a group
 */
export function rankSumRestReference(
  values: readonly number[],
  groups: readonly number[],
  nGroups: number,
  options: RankSumOptions,
): RankSumReference[] {
  return Array.from({ length: nGroups }, (_, group) =>
    rankSumReference(
      values.filter((_value, cell) => groups[cell] === group),
      values.filter((_value, cell) => groups[cell] !== group),
      options,
    ),
  );
}
