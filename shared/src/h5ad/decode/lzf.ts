const MAX_LITERALS = 32;
const LONG_MATCH = 7;
/** A match is at least this much longer than the number that stands for it. */
const MATCH_BIAS = 2;

/**
 * Decompresses LZF into a target of known size.
 *
 * The stream is a sequence of runs of literal bytes (control byte < 32: control + 1 bytes follow) and matches (the upper
 * 3 bits are the length − 2, the lower 5 with the next byte the distance − 1; length 7 is continued in another byte).
 *
 * @returns null, or what is wrong with the stream
 * @source LibLZF 3.6 by Marc Lehmann, format as described in its lzf_d.c
 */
export function decompressLzf(stream: Uint8Array, target: Uint8Array): string | null {
  let read = 0;
  let written = 0;
  while (read < stream.length) {
    const control = stream[read++];
    if (control < MAX_LITERALS) {
      const count = control + 1;
      if (read + count > stream.length || written + count > target.length) return 'a literal run is too long';
      for (let i = 0; i < count; i++) target[written++] = stream[read++];
      continue;
    }
    let length = control >> 5;
    if (length === LONG_MATCH) length += stream[read++] ?? 0;
    length += MATCH_BIAS;
    if (read >= stream.length) return 'the stream ends within a match';
    let from = written - ((control & 31) << 8) - 1 - stream[read++];
    if (from < 0 || written + length > target.length) return 'a match lies outside the data';
    // Byte by byte: a match may overlap what it produces.
    for (let i = 0; i < length; i++) target[written++] = target[from++];
  }
  return written === target.length ? null : `it holds ${written} bytes instead of ${target.length}`;
}
