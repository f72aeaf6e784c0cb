// Wilcoxon rank sums of every group against all other cells, gene by gene, in one sweep over the gene's sorted keys.
// Equations: shared/src/kernels/rank-sum-rest.ts. Keys are moved and compared by their bits, as in sort.ts.
import { score } from "./rank-sum";

/** Up to here insertion; the runs that merging starts from. */
const RUN: u32 = 12;
/** From here on radix: below, adding up its counters costs more than merging. */
const RADIX_MIN: u32 = 1024;
/** Six digits of eleven bits: all 63 bits of a positive key and three more. */
const DIGITS: u32 = 6;
const DIGIT_BITS: u32 = 11;
const BUCKETS: u32 = 2048;

/** Static, hence per instance, and an instance belongs to one thread. */
const histograms = memory.data(49152);

/** Sorts segments [offsets[i], offsets[i + 1]) of keys and takes each key's group along; scratch holds the longest segment. */
export function sortGroupedSegments(
  keys: usize, groups: usize, offsets: usize, nSegments: u32, scratchKeys: usize, scratchGroups: usize,
): void {
  let begin = load<u32>(offsets);
  for (let i: u32 = 1; i <= nSegments; i++) {
    const end = load<u32>(offsets + (<usize>i << 2));
    const k = keys + (<usize>begin << 3);
    const g = groups + (<usize>begin << 2);
    const n = end - begin;
    if (n <= RUN) insertionSort(k, g, 0, n);
    else if (n < RADIX_MIN) mergeSort(k, g, n, scratchKeys, scratchGroups);
    else radixSort(k, g, n, scratchKeys, scratchGroups);
    begin = end;
  }
}

/**
 * U, z and the tie sum of every gene and group, at [group][gene] of the outputs.
 *
 * keys and groups hold one sorted segment a gene by offsets; sizes counts the cells of each group and nCells all of them.
 * above and nonzeros hold one f64 a group.
 */
export function rankSumsOfRest(
  nGenes: u32, keys: usize, groups: usize, offsets: usize, nGroups: u32, sizes: usize, nCells: f64,
  tieCorrect: bool, continuity: bool, above: usize, nonzeros: usize, u: usize, z: usize, tieSums: usize,
): void {
  for (let gene: u32 = 0; gene < nGenes; gene++) {
    const begin = load<u32>(offsets + (<usize>gene << 2));
    const n = load<u32>(offsets + (<usize>gene << 2), 4) - begin;
    const zeros = nCells - <f64>n;
    const geneKeys = keys + (<usize>begin << 3);
    const geneGroups = groups + (<usize>begin << 2);
    memory.fill(above, 0, <usize>nGroups << 3);
    memory.fill(nonzeros, 0, <usize>nGroups << 3);

    let nonzeroTies: f64 = 0;
    let first: u32 = 0;
    while (first < n) {
      const key = load<u64>(geneKeys + (<usize>first << 3));
      let end = first + 1;
      while (end < n && load<u64>(geneKeys + (<usize>end << 3)) == key) end++;
      const copies = <f64>(end - first);
      nonzeroTies += (copies - 1) * copies * (copies + 1);
      // Twice the cells below and once the cells equal, the cell itself among them.
      const gain = 2 * (zeros + <f64>first) + copies;
      for (let i = first; i < end; i++) {
        const at = <usize>load<u32>(geneGroups + (<usize>i << 2)) << 3;
        store<f64>(above + at, load<f64>(above + at) + gain);
        store<f64>(nonzeros + at, load<f64>(nonzeros + at) + 1);
      }
      first = end;
    }

    const tieSum = nonzeroTies + (zeros - 1) * zeros * (zeros + 1);
    for (let g: u32 = 0; g < nGroups; g++) {
      const own = <usize>g << 3;
      const size = <f64>load<u32>(sizes + (<usize>g << 2));
      // Against all cells; the pairs within the group are worth size² and are taken out.
      const twiceU = load<f64>(above + own) + (size - load<f64>(nonzeros + own)) * zeros - size * size;
      const at = (<usize>g * nGenes + gene) << 3;
      store<f64>(u + at, 0.5 * twiceU);
      store<f64>(tieSums + at, tieSum);
      store<f64>(z + at, score(twiceU, size, nCells - size, zeros, nonzeroTies, tieCorrect, continuity));
    }
  }
}

function insertionSort(keys: usize, groups: usize, begin: u32, end: u32): void {
  for (let i = begin + 1; i < end; i++) {
    const key = load<u64>(keys + (<usize>i << 3));
    const group = load<u32>(groups + (<usize>i << 2));
    let slot = i;
    while (slot > begin && load<u64>(keys + (<usize>(slot - 1) << 3)) > key) {
      store<u64>(keys + (<usize>slot << 3), load<u64>(keys + (<usize>(slot - 1) << 3)));
      store<u32>(groups + (<usize>slot << 2), load<u32>(groups + (<usize>(slot - 1) << 2)));
      slot--;
    }
    store<u64>(keys + (<usize>slot << 3), key);
    store<u32>(groups + (<usize>slot << 2), group);
  }
}

/** Bottom-up merge sort: insertion-sorted runs, then passes between the segment and scratch. */
function mergeSort(keys: usize, groups: usize, n: u32, scratchKeys: usize, scratchGroups: usize): void {
  for (let at: u32 = 0; at < n; at += RUN) insertionSort(keys, groups, at, min(at + RUN, n));
  let sourceKeys = keys;
  let sourceGroups = groups;
  let targetKeys = scratchKeys;
  let targetGroups = scratchGroups;
  for (let width = RUN; width < n; width <<= 1) {
    for (let at: u32 = 0; at < n; at += width << 1) {
      const middle = min(at + width, n);
      const end = min(at + (width << 1), n);
      let left = at;
      let right = middle;
      for (let out = at; out < end; out++) {
        const takeLeft = right >= end ||
          (left < middle && load<u64>(sourceKeys + (<usize>left << 3)) <= load<u64>(sourceKeys + (<usize>right << 3)));
        const from = takeLeft ? left++ : right++;
        store<u64>(targetKeys + (<usize>out << 3), load<u64>(sourceKeys + (<usize>from << 3)));
        store<u32>(targetGroups + (<usize>out << 2), load<u32>(sourceGroups + (<usize>from << 2)));
      }
    }
    const swapKeys = sourceKeys;
    sourceKeys = targetKeys;
    targetKeys = swapKeys;
    const swapGroups = sourceGroups;
    sourceGroups = targetGroups;
    targetGroups = swapGroups;
  }
  if (sourceKeys == keys) return;
  memory.copy(keys, sourceKeys, <usize>n << 3);
  memory.copy(groups, sourceGroups, <usize>n << 2);
}

/** Least significant digit first; a digit that all keys share is skipped. */
function radixSort(keys: usize, groups: usize, n: u32, scratchKeys: usize, scratchGroups: usize): void {
  memory.fill(histograms, 0, 49152);
  for (let i: u32 = 0; i < n; i++) {
    let rest = load<u64>(keys + (<usize>i << 3));
    for (let d: u32 = 0; d < DIGITS; d++) {
      const counter = histograms + (<usize>(d * BUCKETS + (<u32>rest & (BUCKETS - 1))) << 2);
      store<u32>(counter, load<u32>(counter) + 1);
      rest >>= DIGIT_BITS;
    }
  }
  let sourceKeys = keys;
  let sourceGroups = groups;
  let targetKeys = scratchKeys;
  let targetGroups = scratchGroups;
  for (let d: u32 = 0; d < DIGITS; d++) {
    const shift = <u64>(d * DIGIT_BITS);
    const cursors = histograms + (<usize>(d * BUCKETS) << 2);
    if (load<u32>(cursors + (<usize>digitOf(load<u64>(sourceKeys), shift) << 2)) == n) continue;
    let offset: u32 = 0;
    for (let b: u32 = 0; b < BUCKETS; b++) {
      const counter = cursors + (<usize>b << 2);
      const length = load<u32>(counter);
      store<u32>(counter, offset);
      offset += length;
    }
    for (let i: u32 = 0; i < n; i++) {
      const key = load<u64>(sourceKeys + (<usize>i << 3));
      const cursor = cursors + (<usize>digitOf(key, shift) << 2);
      const slot = load<u32>(cursor);
      store<u32>(cursor, slot + 1);
      store<u64>(targetKeys + (<usize>slot << 3), key);
      store<u32>(targetGroups + (<usize>slot << 2), load<u32>(sourceGroups + (<usize>i << 2)));
    }
    const swapKeys = sourceKeys;
    sourceKeys = targetKeys;
    targetKeys = swapKeys;
    const swapGroups = sourceGroups;
    sourceGroups = targetGroups;
    targetGroups = swapGroups;
  }
  if (sourceKeys == keys) return;
  memory.copy(keys, sourceKeys, <usize>n << 3);
  memory.copy(groups, sourceGroups, <usize>n << 2);
}

// @ts-ignore: decorator
@inline
function digitOf(key: u64, shift: u64): u32 {
  return <u32>(key >> shift) & (BUCKETS - 1);
}
