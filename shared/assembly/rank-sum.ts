// Wilcoxon rank sums of many groups against one control, gene by gene. Equations: shared/src/kernels/rank-sum.ts.
import { sortSegment } from "./sort";

/** A control column is indexed when a task looks up at least one key for this many of its own: below, indexing costs more. */
const KEYS_PER_LOOKUP: u32 = 32;
/** Of the keys of a control column every so many-th is indexed: two to a cache line, so that indexing also fetches the column. */
const SAMPLED: u32 = 4;

/** Of the column that was indexed last. */
let longestRange: u32 = 0;
let longestRun: u32 = 0;

/** Halvings that leave no more than one of n keys. */
// @ts-ignore: decorator
@inline
function halvings(n: u32): u32 {
  return n > 1 ? 32 - clz<u32>(n - 1) : 0;
}

/**
 * Halves, for n keys, the runs of a column that their lower bounds lie in: places holds each run's first position and its length,
 * u32 each, and gets the position of the first key of the run that is not below `key + add`.
 *
 * `steps` halvings or more than it takes, as many for every key, so that no branch depends on one; and all keys take a step before
 * one takes the next, so that none waits for its own.
 */
// @ts-ignore: decorator
@inline
function lowerBounds(column: usize, keys: usize, n: u32, add: u64, places: usize, steps: u32): void {
  const end = keys + (<usize>n << 3);
  for (let step: u32 = 0; step < steps; step++) {
    for (let p = keys, place = places; p < end; p += 8, place += 8) {
      const at = load<u32>(place);
      const left = load<u32>(place, 4);
      // Of one key or none nothing is halved: `at` stays, whatever lies before it.
      const half = left >> 1;
      const isBelow = load<u64>(column + (<usize>(at + half) << 3) - 8) < load<u64>(p) + add;
      store<u32>(place, select<u32>(at + half, at, isBelow));
      store<u32>(place, left - half, 4);
    }
  }
  for (let p = keys, place = places; p < end; p += 8, place += 8) {
    const at = load<u32>(place);
    const isBelow = load<u64>(column + (<usize>at << 3)) < load<u64>(p) + add;
    store<u32>(place, at + (<u32>(load<u32>(place, 4) == 1) & <u32>isBelow));
  }
}

/**
 * The index of a sorted column of n keys, made of every SAMPLED-th: a bucket is a range of keys' bits of equal width counted
 * from the lowest key, and starts[b] the first position where the lower bound of a key of bucket b can be, SAMPLED - 1 positions or
 * the column's end after starts[b + 1] the last. Returns the width's exponent. Without an index everything is one bucket.
 * Leaves bounds of the longest such range and of the longest run of equal keys.
 */
function indexColumn(keys: usize, n: u32, lookups: u32, starts: usize): u64 {
  longestRange = n;
  longestRun = n;
  if (n < 16 || lookups * KEYS_PER_LOOKUP < n) {
    store<u32>(starts, 0);
    store<u32>(starts, max(n, SAMPLED - 1) - (SAMPLED - 1), 4);
    return 63;
  }
  const lowest = load<u64>(keys);
  const span = load<u64>(keys + (<usize>(n - 1) << 3)) - lowest;
  // Fewer than n / 2 buckets: about one for every sample.
  const width = max<i64>(0, <i64>(64 - clz(span)) - <i64>(31 - clz<u32>(n >> 1)));
  const buckets = <u32>(span >> width) + 1;
  memory.fill(starts, 0, <usize>(buckets + 1) << 2);
  let previous: u64 = 0;
  let run: u32 = 0;
  let longest: u32 = 0;
  for (let i: u32 = 0; i < n; i += SAMPLED) {
    const key = load<u64>(keys + (<usize>i << 3));
    run = select<u32>(run + 1, 1, key == previous);
    previous = key;
    longest = max(longest, run);
    // The last sample of a bucket is written last: lower bounds of the next bucket lie beyond it.
    store<u32>(starts + (<usize>((key - lowest) >> width) << 2), i + 1, 4);
  }
  longestRun = SAMPLED * (longest + 1) - 1;
  longest = 0;
  let start: u32 = 0;
  for (let b: usize = 0; b <= buckets; b++) {
    const next = max(start, load<u32>(starts + (b << 2)));
    store<u32>(starts + (b << 2), next);
    longest = max(longest, next - start);
    start = next;
  }
  longestRange = min(longest + SAMPLED - 1, n);
  return width;
}

/** The longest run of equal keys, no longer than `most`, that a column can have whose tie terms (c³ − c of c copies) add up to `ties`. */
// @ts-ignore: decorator
@inline
function longestOfTies(most: u32, ties: f64): u32 {
  let run: u32 = 1;
  while (run < most && <f64>run * <f64>(run + 1) * <f64>(run + 2) <= ties) run++;
  return run;
}

/**
 * For every gene and every group: U, z and the tie sum, at [group][gene] of the outputs.
 *
 * groupKeys holds segments [group][gene] by groupOffsets, nGroups · nGenes + 1 of them; they are sorted here. scratch and
 * places hold the longest of them, starts half the longest control column and two more.
 */
export function rankSums(
  nGenes: u32, controlKeys: usize, controlOffsets: usize, controlTies: usize, nControl: f64,
  nGroups: u32, groupKeys: usize, groupOffsets: usize, groupSizes: usize, tieCorrect: bool, continuity: bool,
  scratch: usize, places: usize, starts: usize, u: usize, z: usize, tieSums: usize,
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
    const steps = halvings(longestRange);
    const run = longestOfTies(longestRun, controlTie);
    const runSteps = halvings(run);
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
      let twiceBelow: u64 = 0;
      let addedTies: f64 = 0;
      let previous: u64 = 0;
      let copy: u32 = 0;
      if (controlLength > 0) {
        let place = places;
        for (let q = p; q < end; q += 8, place += 8) {
          const within = min(max(load<u64>(q), lowest), highest);
          const bucket = starts + (<usize>((within - lowest) >> width) << 2);
          const from = load<u32>(bucket);
          store<u32>(place, from);
          store<u32>(place, min(load<u32>(bucket, 4) + (SAMPLED - 1), controlLength) - from, 4);
        }
        lowerBounds(control, p, length, 0, places, steps);
        for (let i: usize = 0; i < <usize>length << 3; i += 8) {
          const below = load<u32>(places + i);
          store<u32>(scratch + i, below);
          store<u32>(scratch + i, min(run, controlLength - below), 4);
        }
        // Keys are whole numbers here, so the first key beyond is the lower bound of key + 1.
        lowerBounds(control, p, length, 1, scratch, runSteps);
        for (let i: usize = 0; p < end; p += 8, i += 8) {
          const key = load<u64>(p);
          const below = load<u32>(places + i);
          const equal = load<u32>(scratch + i) - below;
          twiceBelow += 2 * <u64>below + <u64>equal;
          copy = select<u32>(copy + 1, 0, key == previous);
          previous = key;
          // (x + 1)³ − (x + 1) − (x³ − x), the block of x equal keys having grown by one.
          const block = <f64>(equal + copy);
          addedTies += 3 * block * (block + 1);
        }
      } else {
        for (; p < end; p += 8) {
          const key = load<u64>(p);
          copy = select<u32>(copy + 1, 0, key == previous);
          previous = key;
          addedTies += 3 * <f64>copy * (<f64>copy + 1);
        }
      }

      const n = <f64>load<u32>(groupSizes + (<usize>g << 2));
      const nonzero = <f64>length;
      const zeros = zeroControl + (n - nonzero);
      const twiceU = <f64>twiceBelow + 2 * nonzero * zeroControl + (n - nonzero) * zeroControl;
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
