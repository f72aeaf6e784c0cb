import { CorruptDataError, InvalidInputError, UnsupportedDataError } from '../../errors/index.js';
import type { ByteSource } from '../../storage/index.js';
import { ByteCursor } from './byte-cursor.js';

/** Reads in flight at once while an index is walked: hides the latency of remote storage. */
const CONCURRENT_READS = 32;
/** The superblock lies at 0, 512, 1024, 2048, …; what is before it is the user block. */
const FIRST_USER_BLOCK = 512;
const SUPERBLOCK_BYTES = 96;
const SIGNATURE = Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a);

/** The bytes of an HDF5 file, addressed as HDF5 does: relative to the superblock. */
export class Hdf5Bytes {
  private constructor(
    readonly source: ByteSource,
    /** Bytes of the user block before the superblock. */
    readonly base: number,
    /** The file says that a program has it open for writing, or had when it crashed (superblock 3 only). */
    readonly openForWriting: boolean,
  ) {}

  /**
   * Finds the superblock (versions 0 to 3).
   *
   * @throws InvalidInputError when the object is not an HDF5 file
   * @throws CorruptDataError when it is shorter than its superblock says
   * @throws UnsupportedDataError when addresses are not 8 bytes wide
   * @source HDF5 File Format Specification 4.0, section II.A
   */
  static async open(source: ByteSource): Promise<Hdf5Bytes> {
    const base = await findSuperblock(source);
    const bytes = new Uint8Array(Math.min(SUPERBLOCK_BYTES, source.sizeBytes - base));
    await source.readInto(base, bytes);
    const cursor = new ByteCursor(bytes, `the superblock of ${source.uri}`, SIGNATURE.length);
    const version = cursor.u8();
    if (version > 3) {
      throw new UnsupportedDataError(`${source.uri} has an HDF5 superblock of version ${version}`, {
        hint: 'write it with libver="v110" or older',
      });
    }
    cursor.position = version < 2 ? 13 : 9;
    const offsetBytes = cursor.u8();
    const lengthBytes = cursor.u8();
    if (offsetBytes !== 8 || lengthBytes !== 8) {
      throw new UnsupportedDataError(`${source.uri} uses addresses of ${offsetBytes} bytes instead of 8`, {
        hint: 'rewrite it with h5repack',
      });
    }
    const consistencyFlags = version === 3 ? cursor.u8() : 0;
    cursor.position = version === 0 ? 40 : version === 1 ? 44 : 28;
    // Unlike every other address, this one counts from the beginning of the file.
    const endOfFile = cursor.u64();
    if (endOfFile > source.sizeBytes) {
      throw new CorruptDataError(
        `${source.uri} is truncated: it should be ${endOfFile} bytes long but has ${source.sizeBytes}`,
        { hint: 'copy the file again', details: { path: source.uri } },
      );
    }
    return new Hdf5Bytes(source, base, (consistencyFlags & 1) !== 0);
  }

  /** Up to `length` bytes at an address; fewer where the file ends. */
  async read(address: number, length: number): Promise<Uint8Array> {
    const begin = this.base + address;
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.source.sizeBytes - begin)));
    await this.source.readInto(begin, bytes);
    return bytes;
  }

  /** Several ranges at once, in the order of the request. */
  async readMany(ranges: readonly { readonly address: number; readonly length: number }[]): Promise<Uint8Array[]> {
    const results: Uint8Array[] = new Array<Uint8Array>(ranges.length);
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < ranges.length) {
        const i = next++;
        results[i] = await this.read(ranges[i].address, ranges[i].length);
      }
    };
    await Promise.all(Array.from({ length: Math.min(CONCURRENT_READS, ranges.length) }, lane));
    return results;
  }
}

async function findSuperblock(source: ByteSource): Promise<number> {
  const bytes = new Uint8Array(SIGNATURE.length);
  for (let at = 0; at + SUPERBLOCK_BYTES / 2 <= source.sizeBytes; at = at === 0 ? FIRST_USER_BLOCK : at * 2) {
    await source.readInto(at, bytes);
    if (bytes.every((byte, i) => byte === SIGNATURE[i])) return at;
  }
  throw new InvalidInputError(`${source.uri} is not an HDF5 file`, {
    hint: 'give an .h5ad file as written by anndata',
    details: { path: source.uri },
  });
}
