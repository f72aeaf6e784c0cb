import { createHash, randomUUID } from 'node:crypto';

export interface StoredObject {
  readonly bytes: Buffer;
  readonly etag: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly writtenMs: number;
}

interface Upload {
  readonly bucket: string;
  readonly key: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly parts: Map<number, { readonly bytes: Buffer; readonly etag: string; readonly checksum: string }>;
}

const md5 = (bytes: Uint8Array): Buffer => createHash('md5').update(bytes).digest();
export const etagOf = (bytes: Uint8Array): string => `"${md5(bytes).toString('hex')}"`;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 255];
  return (crc ^ 0xffffffff) >>> 0;
}

/** CRC-32 as S3 writes it: big-endian, base64. */
export function checksumOf(bytes: Uint8Array): string {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(crc32(bytes));
  return buffer.toString('base64');
}

/** An answer that is an error. */
export class S3Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
  ) {
    super(code);
  }
}

/** Buckets and uploads in memory. */
export class S3Objects {
  readonly buckets = new Map<string, Map<string, StoredObject>>();
  readonly uploads = new Map<string, Upload>();

  bucket(name: string): Map<string, StoredObject> {
    const bucket = this.buckets.get(name);
    if (bucket === undefined) throw new S3Refusal(404, 'NoSuchBucket');
    return bucket;
  }

  get(bucket: string, key: string): StoredObject {
    const object = this.bucket(bucket).get(key);
    if (object === undefined) throw new S3Refusal(404, 'NoSuchKey');
    return object;
  }

  put(bucket: string, key: string, bytes: Buffer, metadata: StoredObject['metadata'] = {}): StoredObject {
    const object = { bytes, etag: etagOf(bytes), metadata, writtenMs: Date.now() };
    this.bucket(bucket).set(key, object);
    return object;
  }

  begin(bucket: string, key: string, metadata: StoredObject['metadata']): string {
    this.bucket(bucket);
    const id = randomUUID();
    this.uploads.set(id, { bucket, key, metadata, parts: new Map() });
    return id;
  }

  addPart(id: string, number: number, bytes: Buffer): { readonly etag: string; readonly checksum: string } {
    const part = { bytes, etag: etagOf(bytes), checksum: checksumOf(bytes) };
    this.upload(id).parts.set(number, part);
    return part;
  }

  /** @param listed - number, ETag and checksum of each part, in the order of the request */
  complete(id: string, listed: readonly (readonly [number, string, string | undefined])[]): StoredObject {
    const upload = this.upload(id);
    const parts = listed.map(([number, etag, checksum]) => {
      const part = upload.parts.get(number);
      if (part?.etag !== etag || part.checksum !== checksum) throw new S3Refusal(400, 'InvalidPart');
      return part;
    });
    const isAscending = listed.every(([number], i) => i === 0 || number > listed[i - 1][0]);
    if (!isAscending) throw new S3Refusal(400, 'InvalidPartOrder');
    if (parts.slice(0, -1).some(({ bytes }) => bytes.length < 5 << 20)) throw new S3Refusal(400, 'EntityTooSmall');
    const digest = md5(Buffer.concat(parts.map(({ bytes }) => md5(bytes)))).toString('hex');
    const object: StoredObject = {
      bytes: Buffer.concat(parts.map(({ bytes }) => bytes)),
      etag: `"${digest}-${parts.length}"`,
      metadata: upload.metadata,
      writtenMs: Date.now(),
    };
    this.bucket(upload.bucket).set(upload.key, object);
    this.uploads.delete(id);
    return object;
  }

  abort(id: string): void {
    this.upload(id);
    this.uploads.delete(id);
  }

  private upload(id: string): Upload {
    const upload = this.uploads.get(id);
    if (upload === undefined) throw new S3Refusal(404, 'NoSuchUpload');
    return upload;
  }
}
