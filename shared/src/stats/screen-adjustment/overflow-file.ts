/**
 * A place for what does not fit into memory: bytes by position, as in a temporary file. What was written can be read until
 * it is closed, when all of it is gone.
 */
export interface OverflowFile {
  write(bytes: Uint8Array, position: number): void;
  /** Fills `into`. */
  read(into: Uint8Array, position: number): void;
  close(): void;
}

export type OpenOverflow = () => OverflowFile;

export const bytesOf = (array: Float64Array | Uint32Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
