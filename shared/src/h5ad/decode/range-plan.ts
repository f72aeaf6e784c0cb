/** Chunks this close are fetched by one read: reading on costs less than reading twice. */
const MAX_GAP_BYTES = 64 * 1024;

export interface StoredRange {
  readonly offset: number;
  readonly length: number;
  /** Where in the window's buffer it goes. */
  readonly at: number;
}

/** Consecutive chunks of a sequence whose bytes are fetched together. */
export interface ReadWindow {
  /** Position of the first chunk in the sequence. */
  readonly first: number;
  readonly ranges: readonly StoredRange[];
  readonly bytes: number;
}

export interface RangePlan {
  readonly windows: readonly ReadWindow[];
  /** Where each chunk of the sequence begins in its window's buffer; −1 for one that is not stored. */
  readonly positions: Float64Array;
}

/**
 * Cuts a sequence of chunks into windows of at most `windowBytes` (or one chunk) and merges neighbours within each.
 *
 * @param offsets - address of each chunk in the order in which they are wanted, −1 for one that is not stored
 * @param sizes - stored bytes of each, parallel to `offsets`
 */
export function planRanges(offsets: ArrayLike<number>, sizes: ArrayLike<number>, windowBytes: number): RangePlan {
  const positions = new Float64Array(offsets.length).fill(-1);
  const windows: ReadWindow[] = [];
  let first = 0;
  let bytes = 0;
  for (let i = 0; i <= offsets.length; i++) {
    const size = i < offsets.length && offsets[i] >= 0 ? sizes[i] : 0;
    const isFull = i > first && bytes + size > windowBytes;
    if (i === offsets.length ? i > first : isFull) {
      windows.push(planWindow(offsets, sizes, first, i, positions));
      first = i;
      bytes = 0;
    }
    bytes += size;
  }
  return { windows, positions };
}

function planWindow(
  offsets: ArrayLike<number>,
  sizes: ArrayLike<number>,
  first: number,
  end: number,
  positions: Float64Array,
): ReadWindow {
  const stored: number[] = [];
  for (let i = first; i < end; i++) if (offsets[i] >= 0) stored.push(i);
  stored.sort((a, b) => offsets[a] - offsets[b]);
  const ranges: StoredRange[] = [];
  let bytes = 0;
  for (let next = 0; next < stored.length;) {
    const offset = offsets[stored[next]];
    const at = bytes;
    let rangeEnd = offset;
    for (; next < stored.length && offsets[stored[next]] <= rangeEnd + MAX_GAP_BYTES; next++) {
      const chunk = stored[next];
      positions[chunk] = at + offsets[chunk] - offset;
      rangeEnd = Math.max(rangeEnd, offsets[chunk] + sizes[chunk]);
    }
    ranges.push({ offset, length: rangeEnd - offset, at });
    bytes += rangeEnd - offset;
  }
  return { first, ranges, bytes };
}
