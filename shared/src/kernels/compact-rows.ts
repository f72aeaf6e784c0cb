/**
 * The compact form in which rows wait on scratch, about two bytes a nonzero.
 *
 * A row is a run of bytes. For each nonzero, in ascending gene order: the gap to the previous gene (gene − previous − 1,
 * the first relative to −1) as one byte, or 255 and a little-endian u32 when it is 255 or more; then the value. A count is
 * one byte, or 255 and a little-endian u32 when it is 255 or more; a real number is a little-endian f64.
 */
export type CompactValueKind = 'count' | 'real';

/** Longest encoding of one nonzero, in bytes. */
export const MAX_COMPACT_BYTES: Readonly<Record<CompactValueKind, number>> = { count: 10, real: 13 };
