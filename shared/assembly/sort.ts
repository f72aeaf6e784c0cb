// Ascending sort of non-negative float64 keys. Their bits, read as integers, ascend with the values, so keys are moved and
// compared as u64. All arguments are byte addresses or counts; scratch holds as many keys as the longest segment.

/** Up to here insertion; the runs that merging starts from. */
const RUN: u32 = 12;
/** From here on radix: below, clearing and adding up its counters costs more than merging. */
const RADIX_MIN: u32 = 36;
/** Radix looks at bits 31 … 62, four digits of eight: the exponent and 21 bits of the mantissa. */
const LOWEST_BIT: u64 = 31;
/** Below this the lowest digit is left out: few keys agree in the others, and merging tells those apart. */
const FOUR_DIGITS_MIN: u32 = 1024;

/** Four histograms of 256 u32. Static, hence per instance, and an instance belongs to one thread. */
const histograms = memory.data(4096);

/** Sorts the keys at `keys`, n of them. */
export function sortSegment(keys: usize, n: u32, scratch: usize): void {
  if (n <= RUN) insertionSort(keys, keys + (<usize>n << 3));
  else if (n < RADIX_MIN) mergeSort(keys, n, scratch);
  else radixSort(keys, n, scratch);
}

/** Sorts segments [offsets[i], offsets[i + 1]) of keys, i < nSegments. */
export function sortSegments(keys: usize, offsets: usize, nSegments: u32, scratch: usize): void {
  let begin = load<u32>(offsets);
  for (let i: u32 = 1; i <= nSegments; i++) {
    const end = load<u32>(offsets + (<usize>i << 2));
    sortSegment(keys + (<usize>begin << 3), end - begin, scratch);
    begin = end;
  }
}

/** ties[i] = Σ (c³ − c) over the distinct keys of sorted segment i, c the copies of each. */
export function tieTerms(keys: usize, offsets: usize, nSegments: u32, ties: usize): void {
  for (let i: u32 = 0; i < nSegments; i++) {
    const at = offsets + (<usize>i << 2);
    let p = keys + (<usize>load<u32>(at) << 3);
    const end = keys + (<usize>load<u32>(at, 4) << 3);
    let sum: f64 = 0;
    while (p < end) {
      const key = load<u64>(p);
      const first = p;
      p += 8;
      while (p < end && load<u64>(p) == key) p += 8;
      const copies = <f64>((p - first) >> 3);
      sum += (copies - 1) * copies * (copies + 1);
    }
    store<f64>(ties + (<usize>i << 3), sum);
  }
}

function insertionSort(begin: usize, end: usize): void {
  for (let p = begin + 8; p < end; p += 8) {
    const key = load<u64>(p);
    let slot = p;
    while (slot > begin && load<u64>(slot - 8) > key) {
      store<u64>(slot, load<u64>(slot - 8));
      slot -= 8;
    }
    store<u64>(slot, key);
  }
}

/** Bottom-up merge sort: insertion-sorted runs, then passes between keys and scratch. */
function mergeSort(keys: usize, n: u32, scratch: usize): void {
  const bytes = <usize>n << 3;
  for (let at: usize = 0; at < bytes; at += RUN << 3) {
    insertionSort(keys + at, keys + min(at + (RUN << 3), bytes));
  }
  let source = keys;
  let target = scratch;
  for (let width: usize = RUN << 3; width < bytes; width <<= 1) {
    for (let at: usize = 0; at < bytes; at += width << 1) {
      const middle = min(at + width, bytes);
      merge(source + at, source + middle, source + min(at + (width << 1), bytes), target + at);
    }
    const swap = source;
    source = target;
    target = swap;
  }
  if (source != keys) memory.copy(keys, source, bytes);
}

/** Merges [left, middle) and [middle, end) into out; which side is next is selected, not branched on. */
// @ts-ignore: decorator
@inline
function merge(left: usize, middle: usize, end: usize, out: usize): void {
  let right = middle;
  while (left < middle && right < end) {
    const a = load<u64>(left);
    const b = load<u64>(right);
    const takeRight = <usize>(b < a);
    store<u64>(out, select<u64>(b, a, takeRight != 0));
    right += takeRight << 3;
    left += (1 - takeRight) << 3;
    out += 8;
  }
  if (left < middle) memory.copy(out, left, middle - left);
  else if (right < end) memory.copy(out, right, end - right);
}

/** Least significant digit first over the leading bits; what those bits cannot tell apart is merged afterwards. */
function radixSort(keys: usize, n: u32, scratch: usize): void {
  const bytes = <usize>n << 3;
  const first: u32 = n < FOUR_DIGITS_MIN ? 1 : 0;
  memory.fill(histograms + (<usize>first << 10), 0, 4096 - (<usize>first << 10));
  for (let p = keys; p < keys + bytes; p += 8) {
    const digits = <u32>(load<u64>(p) >> LOWEST_BIT);
    if (first == 0) count(digits, 0);
    count(digits, 1);
    count(digits, 2);
    count(digits, 3);
  }
  let source = keys;
  let target = scratch;
  for (let d: u32 = first; d < 4; d++) {
    const shift = LOWEST_BIT + (<u64>d << 3);
    const cursors = histograms + (<usize>d << 10);
    if (load<u32>(cursors + (<usize>((load<u64>(source) >> shift) & 255) << 2)) == n) continue;
    let offset: u32 = 0;
    for (let counter = cursors; counter < cursors + 1024; counter += 4) {
      const length = load<u32>(counter);
      store<u32>(counter, offset);
      offset += length;
    }
    for (let p = source; p < source + bytes; p += 8) {
      const key = load<u64>(p);
      const cursor = cursors + (<usize>((key >> shift) & 255) << 2);
      const slot = load<u32>(cursor);
      store<u32>(cursor, slot + 1);
      store<u64>(target + (<usize>slot << 3), key);
    }
    const swap = source;
    source = target;
    target = swap;
  }
  if (source != keys) memory.copy(keys, source, bytes);
  sortCollisions(keys, bytes, scratch, LOWEST_BIT + (<u64>first << 3));
}

/** Counts one key in the histogram of digit d. */
// @ts-ignore: decorator
@inline
function count(digits: u32, d: u32): void {
  const counter = histograms + (<usize>d << 10) + (<usize>((digits >> (d << 3)) & 255) << 2);
  store<u32>(counter, load<u32>(counter) + 1);
}

/** Sorts every run of equal leading bits, from `lowest` up, that is out of order. */
function sortCollisions(keys: usize, bytes: usize, scratch: usize, lowest: u64): void {
  const end = keys + bytes;
  let previous = load<u64>(keys);
  for (let p = keys + 8; p < end; p += 8) {
    const key = load<u64>(p);
    if (key >= previous) {
      previous = key;
      continue;
    }
    const leading = key >> lowest;
    let first = p;
    while (first > keys && load<u64>(first - 8) >> lowest == leading) first -= 8;
    let last = p + 8;
    while (last < end && load<u64>(last) >> lowest == leading) last += 8;
    const length = <u32>((last - first) >> 3);
    if (length <= RUN) insertionSort(first, last);
    else mergeSort(first, length, scratch);
    p = last - 8;
    previous = load<u64>(p);
  }
}
