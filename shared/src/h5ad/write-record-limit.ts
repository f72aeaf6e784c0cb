/** A message of an object header, the description of a compound included, has a 16-bit length and ends on 8 bytes. */
const MAX_MESSAGE_BYTES = 65_528;

/**
 * Whether an array of records with these fields can be described in an HDF5 file: about 900 short names do, as in h5py.
 *
 * @source HDF5 File Format Specification 4.0, section IV.A.2.d, compound datatype of version 1
 */
export function fitRecord(names: readonly string[]): boolean {
  const padded = (bytes: number): number => Math.ceil(bytes / 8) * 8;
  // Name, 32 bytes of offset and dimensions, then at most 20 bytes for the type of a float.
  const bytes = names.reduce((sum, name) => sum + padded(Buffer.byteLength(name) + 1) + 32 + 20, 8);
  return bytes <= MAX_MESSAGE_BYTES;
}
