/** One read that was asked for. */
export interface WantedRange {
  readonly offset: number;
  readonly length: number;
}

/** One request that serves some of them. */
export interface MergedRange<Wanted extends WantedRange> {
  readonly offset: number;
  readonly length: number;
  readonly wanted: readonly Wanted[];
}

/**
 * Merges reads that lie close together into as few requests as possible.
 *
 * @param gapBytes - at most so many bytes between two reads are fetched in vain to save a request
 * @param maxBytes - a merged request grows no larger than this; a read that is larger stays as it is
 * @returns requests in ascending order
 */
export function coalesceRanges<Wanted extends WantedRange>(
  reads: readonly Wanted[],
  gapBytes: number,
  maxBytes: number,
): MergedRange<Wanted>[] {
  const merged: { offset: number; length: number; wanted: Wanted[] }[] = [];
  for (const read of [...reads].sort((left, right) => left.offset - right.offset)) {
    const last = merged.at(-1);
    const end = read.offset + read.length;
    if (last !== undefined) {
      const extent = Math.max(last.length, end - last.offset);
      if (read.offset <= last.offset + last.length + gapBytes && extent <= maxBytes) {
        last.length = extent;
        last.wanted.push(read);
        continue;
      }
    }
    merged.push({ offset: read.offset, length: read.length, wanted: [read] });
  }
  return merged;
}
