import { CorruptDataError } from '../../errors/index.js';

/** HDF5's "undefined address" and "unlimited size": all bits set. */
export const UNDEFINED = -1;

/** Reads little-endian fields one after the other from bytes of an HDF5 file, never past their end. */
export class ByteCursor {
  private readonly view: DataView;

  /**
   * @param what - what is being parsed, for the error message: "the header of X/data"
   */
  constructor(
    readonly bytes: Uint8Array,
    private readonly what: string,
    public position = 0,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.bytes.length - this.position;
  }

  u8(): number {
    return this.view.getUint8(this.take(1));
  }
  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }
  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  /** An address or length of 8 bytes; `UNDEFINED` when all bits are set. */
  u64(): number {
    const at = this.take(8);
    const low = this.view.getUint32(at, true);
    const high = this.view.getUint32(at + 4, true);
    if (low === 0xffffffff && high === 0xffffffff) return UNDEFINED;
    // 2^21 · 2^32 = 2^53: beyond that a double would silently round, and no file is that large.
    if (high >= 0x200000) throw this.corrupt('holds an address beyond 2^53');
    return high * 0x100000000 + low;
  }

  /** An unsigned number of 1 to 8 bytes. */
  unsigned(width: number): number {
    const at = this.take(width);
    let value = 0;
    for (let i = width - 1; i >= 0; i--) value = value * 256 + this.bytes[at + i];
    return value;
  }

  skip(length: number): void {
    this.take(length);
  }

  slice(length: number): Uint8Array {
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }

  /** Consumes a four-letter signature. */
  expect(signature: string): void {
    const found = String.fromCharCode(...this.slice(signature.length));
    if (found !== signature) throw this.corrupt(`has no "${signature}" where one is expected`);
  }

  corrupt(reason: string): CorruptDataError {
    return new CorruptDataError(`${this.what} ${reason}`, { hint: 'the file is damaged; copy or write it again' });
  }

  private take(length: number): number {
    const at = this.position;
    if (at + length > this.bytes.length) throw this.corrupt('ends too early');
    this.position = at + length;
    return at;
  }
}
