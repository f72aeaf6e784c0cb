import { randomUUID } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { toShardexError } from '../../errors/index.js';
import type { S3Connection } from './s3-connection.js';
import { formatS3Uri, type S3Location } from './s3-uri.js';

/** Objects up to this size are one PUT; larger ones a multipart upload with parts of at least this size. */
const PART_BYTES = 16 << 20;
/** @source S3: at most 10,000 parts */
const MAX_PARTS = 10_000;
/** Parts of one object in flight: bounds the memory to as many times the size of a part. */
const PARALLEL_PARTS = 4;
/** Metadata that tells our own object from another's when the answer to a write was lost. */
const UPLOAD_ID = 'shardex-upload';

/** Bytes of known length that can be read anywhere. */
export interface UploadBody {
  readonly sizeBytes: number;
  read(begin: number, end: number): Promise<Uint8Array> | Uint8Array;
}

/** Parts in memory, as one run of bytes. */
export function bodyOfParts(parts: readonly Uint8Array[]): UploadBody {
  return {
    sizeBytes: parts.reduce((sum, part) => sum + part.byteLength, 0),
    read(begin, end) {
      const pieces: Uint8Array[] = [];
      let at = 0;
      for (const part of parts) {
        const from = Math.max(begin - at, 0);
        const to = Math.min(end - at, part.byteLength);
        if (from < to) pieces.push(part.subarray(from, to));
        at += part.byteLength;
      }
      return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
    },
  };
}

/** Calls `use` with a local file as a body. */
export async function withFileBody<Result>(path: string, use: (body: UploadBody) => Promise<Result>): Promise<Result> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const file = handle;
    const { size } = await file.stat();
    return await use({
      sizeBytes: size,
      async read(begin, end) {
        const bytes = Buffer.allocUnsafe(end - begin);
        for (let done = 0; done < bytes.length;) {
          const { bytesRead } = await file.read(bytes, done, bytes.length - done, begin + done);
          if (bytesRead === 0) throw toShardexError({ code: 'EIO' }, `reading ${path}`);
          done += bytesRead;
        }
        return bytes;
      },
    });
  } catch (error) {
    throw toShardexError(error, `reading ${path}`);
  } finally {
    await handle?.close();
  }
}

/** Writes an object whole, replacing what was there. A failure leaves what was there, and no parts. */
export async function uploadObject(connection: S3Connection, location: S3Location, body: UploadBody): Promise<void> {
  if (body.sizeBytes > PART_BYTES) await uploadParts(connection, location, body);
  else await putObject(connection, location, await body.read(0, body.sizeBytes));
}

async function putObject(connection: S3Connection, location: S3Location, bytes: Uint8Array): Promise<void> {
  const { bucket, key } = location;
  await connection.request({ doing: 'writing', location, bytes: bytes.byteLength }, async (sdk, client, signal) => {
    const command = new sdk.PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes, ChecksumAlgorithm: 'CRC32' });
    await client.send(command, { abortSignal: signal });
  });
}

/**
 * Writes an object unless there is one.
 *
 * @returns false when there is one that this call has not written
 */
export async function putNewObject(
  connection: S3Connection,
  location: S3Location,
  bytes: Uint8Array,
): Promise<boolean> {
  const { bucket, key } = location;
  const id = randomUUID();
  return connection.request(
    { doing: 'writing', location, bytes: bytes.byteLength },
    async (sdk, client, signal) => {
      const command = new sdk.PutObjectCommand({
        Bucket: bucket,
        Key: key,
        Body: bytes,
        ChecksumAlgorithm: 'CRC32',
        IfNoneMatch: '*',
        Metadata: { [UPLOAD_ID]: id },
      });
      await client.send(command, { abortSignal: signal });
      return true;
    },
    ['precondition'],
    // A try whose answer was lost may have written it.
    async ({ repeated }) => repeated && (await isOwn(connection, location, id)),
  );
}

async function uploadParts(connection: S3Connection, location: S3Location, body: UploadBody): Promise<void> {
  const { bucket, key } = location;
  const id = randomUUID();
  const uploadId = await connection.request({ doing: 'writing', location }, async (sdk, client, signal) => {
    const command = new sdk.CreateMultipartUploadCommand({
      Bucket: bucket,
      Key: key,
      ChecksumAlgorithm: 'CRC32',
      Metadata: { [UPLOAD_ID]: id },
    });
    const { UploadId } = await client.send(command, { abortSignal: signal });
    return UploadId as string;
  });
  try {
    const parts = await sendParts(connection, location, uploadId, body);
    await connection.request(
      { doing: 'writing', location },
      async (sdk, client, signal) => {
        const command = new sdk.CompleteMultipartUploadCommand({
          Bucket: bucket,
          Key: key,
          UploadId: uploadId,
          MultipartUpload: { Parts: [...parts] },
        });
        await client.send(command, { abortSignal: signal });
      },
      ['no-upload'],
      async (failure) => {
        if (failure.repeated && (await isOwn(connection, location, id))) return;
        throw toShardexError({ code: 'EIO' }, `writing ${formatS3Uri(location)}, whose upload was ended by another`);
      },
    );
  } catch (error) {
    // What went wrong first is what the user should read.
    await abortUpload(connection, location, uploadId).catch(() => undefined);
    throw error;
  }
}

interface CompletedPart {
  readonly PartNumber: number;
  readonly ETag: string | undefined;
  readonly ChecksumCRC32: string | undefined;
}

/** Sends all parts; settles only when none is in flight any more, so that an abort after it leaves nothing. */
async function sendParts(
  connection: S3Connection,
  location: S3Location,
  uploadId: string,
  body: UploadBody,
): Promise<CompletedPart[]> {
  const { bucket, key } = location;
  const partBytes = Math.max(PART_BYTES, Math.ceil(body.sizeBytes / MAX_PARTS));
  const nParts = Math.ceil(body.sizeBytes / partBytes);
  const done = new Array<CompletedPart>(nParts);
  let next = 0;
  let hasFailed = false;
  const lane = async (): Promise<void> => {
    while (next < nParts && !hasFailed) {
      const i = next++;
      const bytes = await body.read(i * partBytes, Math.min(body.sizeBytes, (i + 1) * partBytes));
      const about = { doing: 'writing', location, bytes: bytes.byteLength };
      done[i] = await connection.request(about, async (sdk, client, signal) => {
        const command = new sdk.UploadPartCommand({
          Bucket: bucket,
          Key: key,
          UploadId: uploadId,
          PartNumber: i + 1,
          Body: bytes,
          ChecksumAlgorithm: 'CRC32',
        });
        const { ETag, ChecksumCRC32 } = await client.send(command, { abortSignal: signal });
        return { PartNumber: i + 1, ETag, ChecksumCRC32 };
      });
    }
  };
  const lanes = Array.from({ length: Math.min(PARALLEL_PARTS, nParts) }, () =>
    lane().catch((error: unknown) => {
      hasFailed = true;
      throw error;
    }),
  );
  await Promise.allSettled(lanes);
  await Promise.all(lanes);
  return done;
}

/** Gives up a multipart upload with all its parts; one that is gone is no error. */
export async function abortUpload(connection: S3Connection, location: S3Location, uploadId: string): Promise<void> {
  const { bucket, key } = location;
  await connection.request(
    { doing: 'writing', location },
    async (sdk, client, signal) => {
      const command = new sdk.AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: uploadId });
      await client.send(command, { abortSignal: signal });
    },
    ['no-upload', 'absent'],
    () => undefined,
  );
}

async function isOwn(connection: S3Connection, location: S3Location, id: string): Promise<boolean> {
  return connection.request(
    { doing: 'looking for', location },
    async (sdk, client, signal) => {
      const command = new sdk.HeadObjectCommand({ Bucket: location.bucket, Key: location.key });
      const { Metadata: metadata } = await client.send(command, { abortSignal: signal });
      return metadata?.[UPLOAD_ID] === id;
    },
    ['absent'],
    () => false,
  );
}
