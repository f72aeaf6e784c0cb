import type { RankSumOptions } from './rank-sum.js';

export interface RankSumReference {
  readonly u: number;
  readonly z: number;
  readonly tieSum: number;
}

/**
 * The plain twin of `rankSumAgainstControl` for one gene and one group: all cells of both arms in one list, zeros written
 * out, ranked with midranks.
 *
 * @param perturbed - value of every perturbed cell
 * @param control - value of every control cell
 */
export function rankSumReference(
  perturbed: readonly number[],
  control: readonly number[],
  { tieCorrect, continuity }: RankSumOptions,
): RankSumReference {
  const pooled = [
    ...perturbed.map((value) => ({ value, isPerturbed: true })),
    ...control.map((value) => ({ value, isPerturbed: false })),
  ].sort((a, b) => a.value - b.value);
  const total = pooled.length;
  let rankSum = 0;
  let tieSum = 0;
  for (let first = 0, end = 0; first < total; first = end) {
    while (end < total && pooled[end].value === pooled[first].value) end++;
    const midrank = (first + 1 + end) / 2;
    rankSum += midrank * pooled.slice(first, end).filter((cell) => cell.isPerturbed).length;
    tieSum += (end - first) ** 3 - (end - first);
  }
  const n1 = perturbed.length;
  const n2 = control.length;
  const correction = tieCorrect ? 1 - tieSum / (total ** 3 - total) : 1;
  const sigma = Math.sqrt((correction * n1 * n2 * (total + 1)) / 12);
  let difference = rankSum - (n1 * (total + 1)) / 2;
  if (continuity) difference -= 0.5 * Math.sign(difference);
  const allEqual = tieSum === total ** 3 - total;
  return { u: rankSum - (n1 * (n1 + 1)) / 2, z: allEqual ? 0 : difference / sigma, tieSum };
}
