// Wilcoxon rank sums of many groups against one control, gene by gene. Equations: shared/src/kernels/rank-sum.ts.
import { sortSegment } from "./sort";

/** Up to this many control keys for one key of the group, both are walked; beyond, each key is searched. */
const WALK_RATIO: usize = 6;

/** Sum over the group's nonzeros of 2·(control nonzeros below) + (control nonzeros equal); and what ties add. */
let twiceBelow: f64 = 0;
let addedTies: f64 = 0;

/** First position in [begin, begin + n keys) whose key is not below `key`; the number of steps depends on n alone. */
// @ts-ignore: decorator
@inline
function lowerBound(begin: usize, n: usize, key: u64): usize {
  let at = begin;
  while (n > 1) {
    const half = n >> 1;
    at = select<usize>(at + (half << 3), at, load<u64>(at + ((half - 1) << 3)) < key);
    n -= half;
  }
  return n == 1 && load<u64>(at) < key ? at + 8 : at;
}

// @ts-ignore: decorator
@inline
function addTie(below: usize, equal: usize, copies: usize): void {
  const c = <f64>equal;
  const m = <f64>copies;
  twiceBelow += m * (2 * <f64>below + c);
  // (c + m)³ − (c + m) − (c³ − c)
  addedTies += m * (3 * c * (c + m) + m * m - 1);
}

/** Both sorted lists walked once. */
function walk(control: usize, controlEnd: usize, group: usize, groupEnd: usize): void {
  const controlBegin = control;
  while (group < groupEnd) {
    const key = load<u64>(group);
    const first = group;
    group += 8;
    while (group < groupEnd && load<u64>(group) == key) group += 8;
    while (control < controlEnd && load<u64>(control) < key) control += 8;
    const below = control;
    while (control < controlEnd && load<u64>(control) == key) control += 8;
    addTie((below - controlBegin) >> 3, (control - below) >> 3, (group - first) >> 3);
  }
}

/** Every distinct key of the group looked up among the control's; lookups do not wait for one another. */
function lookUp(control: usize, controlEnd: usize, group: usize, groupEnd: usize): void {
  const n = (controlEnd - control) >> 3;
  while (group < groupEnd) {
    const key = load<u64>(group);
    const first = group;
    group += 8;
    while (group < groupEnd && load<u64>(group) == key) group += 8;
    const below = lowerBound(control, n, key);
    let above = below;
    // Keys are positive integers here, so the first key beyond is the lower bound of key + 1.
    if (below < controlEnd && load<u64>(below) == key) {
      above = lowerBound(below, (controlEnd - below) >> 3, key + 1);
    }
    addTie((below - control) >> 3, (above - below) >> 3, (group - first) >> 3);
  }
}

/**
 * For every gene and every group: U, z and the tie sum, at [group][gene] of the outputs.
 *
 * groupKeys holds segments [group][gene] by groupOffsets, nGroups · nGenes + 1 of them; they are sorted here.
 */
export function rankSums(
  nGenes: u32, controlKeys: usize, controlOffsets: usize, controlTies: usize, nControl: f64,
  nGroups: u32, groupKeys: usize, groupOffsets: usize, groupSizes: usize, tieCorrect: bool, continuity: bool,
  scratch: usize, u: usize, z: usize, tieSums: usize,
): void {
  for (let gene: u32 = 0; gene < nGenes; gene++) {
    const controlAt = controlOffsets + (<usize>gene << 2);
    const control = controlKeys + (<usize>load<u32>(controlAt) << 3);
    const controlEnd = controlKeys + (<usize>load<u32>(controlAt, 4) << 3);
    const nonzeroControl = <f64>((controlEnd - control) >> 3);
    const zeroControl = nControl - nonzeroControl;
    const controlTie = load<f64>(controlTies + (<usize>gene << 3));
    for (let g: u32 = 0; g < nGroups; g++) {
      const cell = <usize>g * nGenes + gene;
      const groupAt = groupOffsets + (cell << 2);
      const begin = load<u32>(groupAt);
      const length = load<u32>(groupAt, 4) - begin;
      const group = groupKeys + (<usize>begin << 3);
      const groupEnd = group + (<usize>length << 3);
      const n = <f64>load<u32>(groupSizes + (<usize>g << 2));
      sortSegment(group, length, scratch);
      twiceBelow = 0;
      addedTies = 0;
      if (<usize>length * WALK_RATIO >= (controlEnd - control) >> 3) walk(control, controlEnd, group, groupEnd);
      else lookUp(control, controlEnd, group, groupEnd);

      const nonzero = <f64>length;
      const zeros = zeroControl + (n - nonzero);
      const twiceU = twiceBelow + 2 * nonzero * zeroControl + (n - nonzero) * zeroControl;
      const nonzeroTies = controlTie + addedTies;
      const at = cell << 3;
      store<f64>(u + at, 0.5 * twiceU);
      store<f64>(tieSums + at, nonzeroTies + (zeros - 1) * zeros * (zeros + 1));
      store<f64>(z + at, score(twiceU, n, nControl, nonzero + nonzeroControl, zeros, nonzeroTies, tieCorrect, continuity));
    }
  }
}

// @ts-ignore: decorator
@inline
function score(
  twiceU: f64, n: f64, nControl: f64, nonzeros: f64, zeros: f64, nonzeroTies: f64, tieCorrect: bool, continuity: bool,
): f64 {
  const total = n + nControl;
  // N³ − N − Σ(t³ − t), the zeros' block of ties taken out in closed form so that nothing large cancels.
  const untied = nonzeros * (total * total + total * zeros + zeros * zeros - 1) - nonzeroTies;
  const cube = (total - 1) * total * (total + 1);
  // A single tie block of nonzeros leaves rounding errors of 1e-15; the least genuine rest is 3/N of the whole.
  if (!(untied > 1e-12 * cube)) return 0;
  const untiedShare = tieCorrect ? untied / cube : 1;
  let twiceDifference = twiceU - n * nControl;
  if (continuity) twiceDifference -= twiceDifference > 0 ? 1 : twiceDifference < 0 ? -1 : 0;
  return twiceDifference / sqrt((untiedShare * (n * nControl) * (total + 1)) / 3);
}
