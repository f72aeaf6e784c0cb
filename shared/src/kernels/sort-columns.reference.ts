/** The plain twin of `sortColumns`. */
export function sortColumnsReference(keys: Float64Array, offsets: Uint32Array): void {
  for (let i = 0; i + 1 < offsets.length; i++) keys.subarray(offsets[i], offsets[i + 1]).sort();
}

/** The plain twin of `tieTerms`, by counting the copies of every key. */
export function tieTermsReference(keys: Float64Array, offsets: Uint32Array): number[] {
  return Array.from({ length: offsets.length - 1 }, (_, i) => {
    const copies = new Map<number, number>();
    for (const key of keys.subarray(offsets[i], offsets[i + 1])) copies.set(key, (copies.get(key) ?? 0) + 1);
    return [...copies.values()].reduce((sum, c) => sum + (c ** 3 - c), 0);
  });
}
