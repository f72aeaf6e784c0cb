import { CorruptDataError, InvalidInputError } from '../../errors/index.js';
import type { ByteSource } from '../byte-source.js';
import { coalesceRanges, type MergedRange } from '../coalesce-ranges.js';
import type { S3Connection } from './s3-connection.js';
import { formatS3Uri, type S3Location } from './s3-uri.js';

/** Fetched on opening: the superblock and groups of an HDF5 file, the header of a bundle, or all of a small object. */
const HEAD_BYTES = 64 << 10;
/** A larger read is cut into parallel requests of this size, and small ones are merged up to it. */
const REQUEST_BYTES = 8 << 20;
/** What a connection brings in the time that another request takes to begin. */
const GAP_BYTES = 256 << 10;

interface PendingRead {
  readonly offset: number;
  readonly length: number;
  readonly target: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Random access to an S3 object by ranged GETs.
 *
 * Reads that are asked for together are merged where they lie close, large ones are cut, and the requests run in parallel,
 * as many at a time as the connection allows.
 */
export class S3ByteSource implements ByteSource {
  private waiting: PendingRead[] = [];

  private constructor(
    private readonly connection: S3Connection,
    private readonly location: S3Location,
    readonly sizeBytes: number,
    readonly version: string,
    private readonly isPinned: boolean,
    /** The first bytes of the object. */
    private readonly head: Uint8Array,
  ) {}

  /**
   * Costs one request, which also brings the first 64 KiB.
   *
   * @param isPinned - whether a read fails once the object is another one than now
   * @throws InvalidInputError when there is no such object or bucket, or access is denied
   */
  static async open(connection: S3Connection, location: S3Location, isPinned: boolean): Promise<S3ByteSource> {
    if (location.key === '') {
      throw new InvalidInputError(`${formatS3Uri(location)} is a bucket`, { hint: 'name an object' });
    }
    const head = new Uint8Array(HEAD_BYTES);
    const empty = { version: '', sizeBytes: 0, received: 0 };
    // An empty object has no first byte: its ranges lie beyond its end.
    const answer = await connection.getRange(location, 0, head, null, ['beyond-end'], () => empty);
    const { version, sizeBytes, received } = answer;
    return new S3ByteSource(connection, location, sizeBytes, version, isPinned, head.subarray(0, received));
  }

  get uri(): string {
    return formatS3Uri(this.location);
  }

  async readInto(offset: number, target: Uint8Array): Promise<void> {
    const length = target.byteLength;
    const end = offset + length;
    if (end > this.sizeBytes) throw this.endsEarly(offset, length);
    if (length === 0) return;
    if (end <= this.head.byteLength) {
      target.set(this.head.subarray(offset, end));
      return;
    }
    await new Promise<void>((resolve, reject) => {
      // Reads that are asked for in one turn of the event loop are sent together.
      if (this.waiting.push({ offset, length, target, resolve, reject }) === 1) setImmediate(() => this.send());
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private send(): void {
    const reads = this.waiting;
    this.waiting = [];
    for (const merged of coalesceRanges(reads, GAP_BYTES, REQUEST_BYTES)) {
      void this.fetch(merged).then(
        () => merged.wanted.forEach(({ resolve }) => resolve()),
        (error: unknown) => merged.wanted.forEach(({ reject }) => reject(error)),
      );
    }
  }

  private async fetch({ offset, length, wanted }: MergedRange<PendingRead>): Promise<void> {
    const isSingle = wanted.length === 1;
    const bytes = isSingle ? wanted[0].target : new Uint8Array(length);
    const requests: Promise<void>[] = [];
    for (let at = 0; at < length; at += REQUEST_BYTES) {
      requests.push(this.get(offset + at, bytes.subarray(at, at + REQUEST_BYTES)));
    }
    await Promise.all(requests);
    if (isSingle) return;
    for (const read of wanted) {
      const begin = read.offset - offset;
      read.target.set(bytes.subarray(begin, begin + read.length));
    }
  }

  private async get(offset: number, target: Uint8Array): Promise<void> {
    const version = this.isPinned ? this.version : null;
    const { received } = await this.connection.getRange(
      this.location,
      offset,
      target,
      version,
      this.isPinned ? [] : ['beyond-end'],
      () => ({ version: '', sizeBytes: 0, received: 0 }),
    );
    if (received < target.byteLength) throw this.endsEarly(offset, target.byteLength);
  }

  private endsEarly(offset: number, length: number): CorruptDataError {
    return new CorruptDataError(
      `${this.uri} is truncated: bytes ${offset} to ${offset + length} are needed but it ends at ${this.sizeBytes}`,
      { hint: 'copy the file again', details: { path: this.uri, offset, length } },
    );
  }
}
