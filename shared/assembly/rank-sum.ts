// Wilcoxon rank sums of many groups against one control, gene by gene. Equations: shared/src/kernels/rank-sum.ts.
import { sortSegment } from "./sort";

/** A control column is indexed when a task looks up at least one key for this many of its own: below, indexing costs more. */
const KEYS_PER_LOOKUP: u32 = 16;

/** Position, in keys, of the first of n keys at `begin` that is not below `key`. */
// @ts-ignore: decorator
@inline
function lowerBound(begin: usize, n: u32, key: u64): u32 {
  let at = begin;
  let left = n;
  while (left > 1) {
    const half = left >> 1;
    // Selected, not branched on: which half it is cannot be predicted.
    at = select<usize>(at + (<usize>half << 3), at, load<u64>(at + (<usize>(half - 1) << 3)) < key);
    left -= half;
  }
  return <u32>((at - begin) >> 3) + <u32>(left == 1 && load<u64>(at) < key);
}

/**
 * The index of a sorted column: starts[b] is the first key of bucket b, a bucket being a range of keys' bits of equal width
 * counted from the lowest key. Returns the width's exponent. Without an index everything is one bucket.
 */
function indexColumn(keys: usize, n: u32, lookups: u32, starts: usize): u64 {
  if (n < 16 || lookups * KEYS_PER_LOOKUP < n) {
    store<u32>(starts, 0);
    store<u32>(starts, n, 4);
    return 63;
  }
  const lowest = load<u64>(keys);
  const span = load<u64>(keys + (<usize>(n - 1) << 3)) - lowest;
  // Fewer than n / 2 buckets: two keys and more in each.
  const width = max<i64>(0, <i64>(64 - clz(span)) - <i64>(31 - clz<u32>(n >> 1)));
  const buckets = <u32>(span >> width) + 1;
  memory.fill(starts, 0, <usize>(buckets + 1) << 2);
  for (let i: u32 = 0; i < n; i++) {
    const bucket = <usize>((load<u64>(keys + (<usize>i << 3)) - lowest) >> width);
    // The last key of a bucket is written last: where the next bucket starts.
    store<u32>(starts + (bucket << 2), i + 1, 4);
  }
  let start: u32 = 0;
  for (let b: usize = 0; b <= buckets; b++) {
    start = max(start, load<u32>(starts + (b << 2)));
    store<u32>(starts + (b << 2), start);
  }
  return width;
}

/**
 * For every gene and every group: U, z and the tie sum, at [group][gene] of the outputs.
 *
 * groupKeys holds segments [group][gene] by groupOffsets, nGroups · nGenes + 1 of them; they are sorted here. scratch holds
 * the longest of them, starts half the longest control column and two more.
 */
export function rankSums(
  nGenes: u32, controlKeys: usize, controlOffsets: usize, controlTies: usize, nControl: f64,
  nGroups: u32, groupKeys: usize, groupOffsets: usize, groupSizes: usize, tieCorrect: bool, continuity: bool,
  scratch: usize, starts: usize, u: usize, z: usize, tieSums: usize,
): void {
  for (let gene: u32 = 0; gene < nGenes; gene++) {
    const controlAt = controlOffsets + (<usize>gene << 2);
    const controlBegin = load<u32>(controlAt);
    const controlLength = load<u32>(controlAt, 4) - controlBegin;
    const control = controlKeys + (<usize>controlBegin << 3);
    const zeroControl = nControl - <f64>controlLength;
    const controlTie = load<f64>(controlTies + (<usize>gene << 3));

    let lookups: u32 = 0;
    for (let g: u32 = 0; g < nGroups; g++) {
      const at = groupOffsets + ((<usize>g * nGenes + gene) << 2);
      lookups += load<u32>(at, 4) - load<u32>(at);
    }
    const width = indexColumn(control, controlLength, lookups, starts);
    const lowest = controlLength > 0 ? load<u64>(control) : 0;
    const highest = controlLength > 0 ? load<u64>(control + (<usize>(controlLength - 1) << 3)) : 0;

    for (let g: u32 = 0; g < nGroups; g++) {
      const cell = <usize>g * nGenes + gene;
      const groupAt = groupOffsets + (cell << 2);
      const begin = load<u32>(groupAt);
      const length = load<u32>(groupAt, 4) - begin;
      let p = groupKeys + (<usize>begin << 3);
      const end = p + (<usize>length << 3);
      sortSegment(p, length, scratch);

      // Sum over the group's nonzeros of 2·(control nonzeros below) + (control nonzeros equal); and what ties add.
      let twiceBelow: f64 = 0;
      let addedTies: f64 = 0;
      while (p < end) {
        const key = load<u64>(p);
        const first = p;
        p += 8;
        while (p < end && load<u64>(p) == key) p += 8;
        const copies = <f64>((p - first) >> 3);
        let below: u32 = 0;
        let equal: u32 = 0;
        if (key > highest) below = controlLength;
        else if (key >= lowest) {
          const bucket = starts + (<usize>((key - lowest) >> width) << 2);
          const from = load<u32>(bucket);
          const to = load<u32>(bucket, 4);
          below = from + lowerBound(control + (<usize>from << 3), to - from, key);
          const found = control + (<usize>below << 3);
          // Keys are whole numbers here, so the first key beyond is the lower bound of key + 1.
          if (below < to && load<u64>(found) == key) equal = lowerBound(found, to - below, key + 1);
        }
        const c = <f64>equal;
        twiceBelow += copies * (2 * <f64>below + c);
        // (c + m)³ − (c + m) − (c³ − c)
        addedTies += copies * (3 * c * (c + copies) + copies * copies - 1);
      }

      const n = <f64>load<u32>(groupSizes + (<usize>g << 2));
      const nonzero = <f64>length;
      const zeros = zeroControl + (n - nonzero);
      const twiceU = twiceBelow + 2 * nonzero * zeroControl + (n - nonzero) * zeroControl;
      const nonzeroTies = controlTie + addedTies;
      const at = cell << 3;
      store<f64>(u + at, 0.5 * twiceU);
      store<f64>(tieSums + at, nonzeroTies + (zeros - 1) * zeros * (zeros + 1));
      store<f64>(z + at, score(twiceU, n, nControl, zeros, nonzeroTies, tieCorrect, continuity));
    }
  }
}

/** The normal score of twice U; zeros is the size of the zeros' tie block, nonzeroTies the tie sum of all other blocks. */
// @ts-ignore: decorator
@inline
export function score(
  twiceU: f64, n: f64, nControl: f64, zeros: f64, nonzeroTies: f64, tieCorrect: bool, continuity: bool,
): f64 {
  const total = n + nControl;
  // N³ − N − Σ(t³ − t), the zeros' block of ties taken out in closed form so that nothing large cancels.
  const untied = (total - zeros) * (total * total + total * zeros + zeros * zeros - 1) - nonzeroTies;
  const cube = (total - 1) * total * (total + 1);
  // A single tie block of nonzeros leaves rounding errors of 1e-15; the least genuine rest is 3/N of the whole.
  if (!(untied > 1e-12 * cube)) return 0;
  const untiedShare = tieCorrect ? untied / cube : 1;
  let twiceDifference = twiceU - n * nControl;
  if (continuity) twiceDifference -= twiceDifference > 0 ? 1 : twiceDifference < 0 ? -1 : 0;
  return twiceDifference / sqrt((untiedShare * (n * nControl) * (total + 1)) / 3);
}
