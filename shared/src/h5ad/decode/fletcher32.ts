/** Words summed before the carries must be folded so that 32 bits are enough. */
const WORDS_PER_FOLD = 360;

const fold = (sum: number): number => (sum & 0xffff) + (sum >>> 16);

/**
 * Fletcher's checksum over big-endian 16-bit words, as HDF5 computes it.
 *
 * @source Fletcher 1982, with the deferred folding of H5checksum.c (HDF5 1.14)
 */
export function fletcher32(bytes: Uint8Array): number {
  let low = 0;
  let high = 0;
  const words = bytes.length >> 1;
  for (let word = 0; word < words;) {
    const end = Math.min(words, word + WORDS_PER_FOLD);
    for (; word < end; word++) {
      low = (low + ((bytes[2 * word] << 8) | bytes[2 * word + 1])) >>> 0;
      high = (high + low) >>> 0;
    }
    low = fold(low);
    high = fold(high);
  }
  if (bytes.length % 2 === 1) {
    low = fold(low + (bytes[bytes.length - 1] << 8));
    high = fold(high + low);
  }
  return ((fold(high) << 16) | fold(low)) >>> 0;
}

/** The same with the bytes of each half exchanged: what HDF5 before 1.6.3 stored on little-endian machines. */
export const exchangedFletcher32 = (checksum: number): number =>
  (((checksum & 0x00ff00ff) << 8) | ((checksum & 0xff00ff00) >>> 8)) >>> 0;
