/** Bins are ranges of the high word of p as a float64, which ascends with p: 4,096 an octave. */
const BIN_SHIFT = 8;
const ONE_WORD = 0x3ff00000;
const NEGATIVE_ZERO = 0x80000000;
export const N_BINS = (ONE_WORD >>> BIN_SHIFT) + 1;

/** Bytes of a p-value that its bin does not say, all of the low word and one of the high one. */
export const LOW_BYTES = 5;
const LOW_MASK = 2 ** BIN_SHIFT - 1;

const bits = new Float64Array(1);
const words = new Uint32Array(bits.buffer);

/** The high word of value i is words[2 i + 1]: numbers are stored with the low word first on all machines that Node runs on. */
export const wordsOf = (values: Float64Array): Uint32Array =>
  new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);

/** Byte `level` of value i, counted down from the highest that the bin does not say, is byte 8 i + lowByteAt(level). */
export const lowByteAt = (level: number): number => LOW_BYTES - 1 - level;

/** The bin of a p-value by its high word; beyond all bins for NaN. */
export function binOf(highWord: number): number {
  return highWord === NEGATIVE_ZERO ? 0 : highWord >>> BIN_SHIFT;
}

/** Where a p-value is in its bin: 0 at the smallest, towards 1 at the largest. */
export const placeInBin = (lowWord: number, highWord: number): number =>
  ((highWord & LOW_MASK) * 2 ** 32 + lowWord) * 2 ** (-8 * LOW_BYTES);

/** The smallest p of a bin. */
export function floorOf(bin: number): number {
  words[0] = 0;
  words[1] = bin << BIN_SHIFT;
  return bits[0];
}
