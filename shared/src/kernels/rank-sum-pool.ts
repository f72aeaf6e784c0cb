import type { KernelHeap } from './kernel-heap.js';
import {
  rankSumAgainstControl,
  type GroupKeys,
  type RankSumOptions,
  type RankSums,
  type SortedControl,
} from './rank-sum.js';

/**
 * `rankSumAgainstRest` for groups that arrive a few at a time: each is looked up in sorted columns of the whole pool, which
 * are made once like those of a control and hold the group's own cells too.
 *
 * With U' of the group against all N cells of the pool, U = U' − n²/2 (the pairs within the group are worth n²/2), and the
 * ties are those of the pool. Results are the same as from `rankSumAgainstRest`: U and ties exactly, z within 1e-13.
 *
 * The pool decides who the others are: all cells of the screen, or all perturbed cells without the control's. Cost: that of
 * `rankSumAgainstControl`, and about 10 ns a (gene, group).
 *
 * @param pool - columns of all cells that take part, the groups' among them
 * @param groups - any of the groups of the pool; their keys come back sorted
 * @returns arrays [group][gene] in the heap, above everything allocated before the call; they fit `rankSumTest`
 */
export function rankSumWithinPool(
  heap: KernelHeap,
  pool: SortedControl,
  groups: GroupKeys,
  options: RankSumOptions,
): RankSums {
  const sums = rankSumAgainstControl(heap, pool, groups, options);
  const nGenes = pool.offsets.length - 1;
  const total = pool.nCells;
  const cube = (total - 1) * total * (total + 1);
  for (let gene = 0; gene < nGenes; gene++) {
    const zeros = total - (pool.offsets[gene + 1] - pool.offsets[gene]);
    const tieSum = pool.ties[gene] + (zeros - 1) * zeros * (zeros + 1);
    // N³ − N − Σ(t³ − t), the zeros' block taken out in closed form as in the kernel, so that nothing large cancels.
    const untied = (total - zeros) * (total * total + total * zeros + zeros * zeros - 1) - pool.ties[gene];
    const isOneBlock = !(untied > 1e-12 * cube);
    const share = options.tieCorrect ? untied / cube : 1;
    for (let group = 0; group < groups.sizes.length; group++) {
      const at = group * nGenes + gene;
      const n = groups.sizes[group];
      const u = sums.u[at] - 0.5 * n * n;
      sums.u[at] = u;
      sums.tieSums[at] = tieSum;
      sums.z[at] = isOneBlock ? 0 : scoreOf(u, n, total - n, share, options.continuity);
    }
  }
  return sums;
}

function scoreOf(u: number, n: number, others: number, share: number, continuity: boolean): number {
  let difference = u - 0.5 * n * others;
  if (continuity) difference -= 0.5 * Math.sign(difference);
  return difference / Math.sqrt((share * n * others * (n + others + 1)) / 12);
}
