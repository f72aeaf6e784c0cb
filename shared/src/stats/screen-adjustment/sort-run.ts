import { bytesOf } from './overflow-file.js';
import { LOW_BYTES, lowByteAt } from './p-value-bins.js';

/** Longer runs are distributed by a byte first. */
const INSERTION_MAX_LENGTH = 32;
const N_BYTES = 256;

/** Of each level: where the next value of every byte goes; in the end, where those of the byte end. */
const cursors = Array.from({ length: LOW_BYTES }, () => new Uint32Array(N_BYTES));
const ends = new Uint32Array(N_BYTES);

/**
 * Sorts values[begin], values[begin + 1] … values[end − 1], p-values of one bin, by the bytes in which they can differ, from
 * the highest on. In place.
 *
 * @source McIlroy, Bostic & McIlroy 1993, Computing Systems 6:5 (American flag sort)
 */
export function sortRun(values: Float64Array, begin: number, end: number): void {
  if (end - begin > INSERTION_MAX_LENGTH) sortFrom(values, bytesOf(values), begin, end, 0);
  else insert(values, begin, end);
}

/** Sorts [begin, end), whose values are equal but for the bytes from `level` on. */
function sortFrom(values: Float64Array, bytes: Uint8Array, begin: number, end: number, level: number): void {
  if (end - begin <= INSERTION_MAX_LENGTH) {
    insert(values, begin, end);
    return;
  }
  if (level === LOW_BYTES) return;
  distribute(values, bytes, begin, end, level);
  const own = cursors[level];
  let from = begin;
  for (let byte = 0; byte < N_BYTES; byte++) {
    const to = own[byte];
    if (to - from > 1) sortFrom(values, bytes, from, to, level + 1);
    from = to;
  }
}

/** Puts values with the same byte together, bytes ascending: every value goes straight to its place and sends on what is there. */
function distribute(values: Float64Array, bytes: Uint8Array, begin: number, end: number, level: number): void {
  const at = lowByteAt(level);
  const next = cursors[level].fill(0);
  for (let i = begin; i < end; i++) next[bytes[8 * i + at]]++;
  let place = begin;
  for (let byte = 0; byte < N_BYTES; byte++) {
    const count = next[byte];
    next[byte] = place;
    place += count;
    ends[byte] = place;
  }
  for (let byte = 0; byte < N_BYTES; byte++) {
    while (next[byte] < ends[byte]) {
      let value = values[next[byte]];
      let own = bytes[8 * next[byte] + at];
      while (own !== byte) {
        const target = next[own]++;
        const displaced = values[target];
        own = bytes[8 * target + at];
        values[target] = value;
        value = displaced;
      }
      values[next[byte]++] = value;
    }
  }
}

function insert(values: Float64Array, begin: number, end: number): void {
  for (let i = begin + 1; i < end; i++) {
    const value = values[i];
    let slot = i;
    for (; slot > begin && values[slot - 1] > value; slot--) values[slot] = values[slot - 1];
    values[slot] = value;
  }
}
