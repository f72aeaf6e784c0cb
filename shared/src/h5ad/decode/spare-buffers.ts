/** Smaller ones are made anew. */
const LEAST_BYTES = 256 << 10;
/** Lengths are rounded up to this, so that they fit the next reader. */
const STEP_BYTES = 1 << 20;
/** Two of each of the two arrays of a sparse matrix. */
const MOST_SPARE = 4;
/** Larger ones are not kept. */
const MOST_BYTES = 16 << 20;

/** Of this thread. */
const spare: Uint8Array<ArrayBuffer>[] = [];

/**
 * A buffer of at least so many bytes, whatever is in it: one that was given back, as new memory costs about as much as reading
 * a file from the cache of the operating system.
 */
export function takeBuffer(bytes: number): Uint8Array<ArrayBuffer> {
  if (bytes < LEAST_BYTES) return new Uint8Array(bytes);
  const place = spare.findIndex(({ length }) => length >= bytes);
  return place >= 0 ? spare.splice(place, 1)[0] : new Uint8Array(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES);
}

/** Keeps a buffer that nobody uses any more for the next `takeBuffer`, if there is not enough of them. */
export function giveBuffer(buffer: Uint8Array<ArrayBuffer>): void {
  if (buffer.length >= LEAST_BYTES && buffer.length <= MOST_BYTES && spare.length < MOST_SPARE) spare.push(buffer);
}
