import type { ListMultipartUploadsCommandOutput } from '@aws-sdk/client-s3';
import { InvalidInputError } from '../../errors/index.js';
import type { ByteSource, ObjectStore } from '../byte-source.js';
import { requireObjectName } from '../object-name.js';
import { S3ByteSource } from './s3-byte-source.js';
import { readWhole, S3Connection } from './s3-connection.js';
import { abortUpload, bodyOfParts, putNewObject, uploadObject, withFileBody } from './s3-upload.js';
import { formatS3Uri, parseS3Uri, type S3Location } from './s3-uri.js';

/** @source S3: at most 1,000 keys in one DeleteObjects */
const DELETE_KEYS = 1000;

/** Where a list of uploads goes on. */
interface UploadMarker {
  readonly KeyMarker?: string | undefined;
  readonly UploadIdMarker?: string | undefined;
}

/** Objects below one prefix of a bucket. */
export class S3Store implements ObjectStore {
  private readonly root: S3Location;

  constructor(
    uri: string,
    private readonly connection: S3Connection = S3Connection.shared(),
  ) {
    this.root = parseS3Uri(uri);
  }

  get uri(): string {
    return formatS3Uri(this.root);
  }

  /** Not pinned to a version: a second try of a task writes the same bytes again, under another ETag where KMS encrypts. */
  async open(name: string): Promise<ByteSource> {
    return S3ByteSource.open(this.connection, this.locate(name), false);
  }

  async exists(name: string): Promise<boolean> {
    return (await this.modifiedMs(name)) !== null;
  }

  /** When an object was written, by the clock of the storage, to the second; Infinity where it does not tell, null when there is none. */
  async modifiedMs(name: string): Promise<number | null> {
    const location = this.locate(name);
    return this.connection.request<number | null>(
      { doing: 'looking for', location },
      async (sdk, client, signal) => {
        const command = new sdk.HeadObjectCommand({ Bucket: location.bucket, Key: location.key });
        const { LastModified } = await client.send(command, { abortSignal: signal });
        return LastModified?.getTime() ?? Infinity;
      },
      ['absent'],
      () => null,
    );
  }

  async readAll(name: string): Promise<Uint8Array> {
    return readWhole(this.connection, this.locate(name));
  }

  async commit(name: string, parts: readonly Uint8Array[]): Promise<void> {
    await uploadObject(this.connection, this.locate(name), bodyOfParts(parts));
  }

  async commitNew(name: string, parts: readonly Uint8Array[]): Promise<boolean> {
    return putNewObject(this.connection, this.locate(name), Buffer.concat(parts));
  }

  async upload(name: string, path: string): Promise<void> {
    const location = this.locate(name);
    await withFileBody(path, (body) => uploadObject(this.connection, location, body));
  }

  async list(prefix: string): Promise<string[]> {
    const name = prefix.replace(/\/+$/, '');
    const below = name === '' ? this.root : this.locate(name);
    const keys = await this.keysBelow(below);
    if (keys.length === 0) return name !== '' && (await this.exists(name)) ? [name] : [];
    const skip = this.root.key === '' ? 0 : this.root.key.length + 1;
    return keys.map((key) => key.slice(skip)).sort();
  }

  async removeAll(prefix: string): Promise<void> {
    const names = await this.list(prefix);
    for (let i = 0; i < names.length; i += DELETE_KEYS) await this.remove(names.slice(i, i + DELETE_KEYS));
    const root = prefix.replace(/\/+$/, '');
    await this.abortUploads((name) => root === '' || name === root || name.startsWith(`${root}/`));
  }

  /**
   * Begins and gives up an upload: whether this place can be written is better known before hours of work.
   *
   * @throws InvalidInputError when it cannot
   */
  async requireWritable(): Promise<void> {
    const location = this.locate('.shardex-probe');
    const uploadId = await this.connection.request({ doing: 'writing to', location }, async (sdk, client, signal) => {
      const command = new sdk.CreateMultipartUploadCommand({ Bucket: location.bucket, Key: location.key });
      return (await client.send(command, { abortSignal: signal })).UploadId as string;
    });
    await abortUpload(this.connection, location, uploadId);
  }

  /**
   * Gives up unfinished uploads below this place: their parts are in no list and cost money. Uploads are left by processes
   * that were killed, and where the answer to a beginning was lost. Without the right to list them, nothing happens.
   *
   * @param isStale - by the name of the object
   */
  async abortUploads(isStale: (name: string) => boolean): Promise<void> {
    const { bucket, key: root } = this.root;
    const prefix = root === '' ? '' : `${root}/`;
    for (let from: UploadMarker | null = {}; from !== null;) {
      const page = await this.listUploads(prefix, from);
      for (const { Key: key, UploadId: uploadId } of page.Uploads ?? []) {
        if (key === undefined || uploadId === undefined || !isStale(key.slice(prefix.length))) continue;
        await abortUpload(this.connection, { bucket, key }, uploadId);
      }
      from =
        page.IsTruncated === true ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker } : null;
    }
  }

  private listUploads(prefix: string, from: UploadMarker): Promise<Partial<ListMultipartUploadsCommandOutput>> {
    const location = this.root;
    return this.connection.request<Partial<ListMultipartUploadsCommandOutput>>(
      { doing: 'listing', location },
      async (sdk, client, signal) => {
        const command = new sdk.ListMultipartUploadsCommand({ Bucket: location.bucket, Prefix: prefix, ...from });
        return client.send(command, { abortSignal: signal });
      },
      ['denied'],
      () => ({}),
    );
  }

  private locate(name: string): S3Location {
    requireObjectName(name);
    const { bucket, key } = this.root;
    return { bucket, key: key === '' ? name : `${key}/${name}` };
  }

  /** Keys of objects below `location/`. */
  private async keysBelow(location: S3Location): Promise<string[]> {
    const { bucket, key } = location;
    const prefix = key === '' ? '' : `${key}/`;
    const keys: string[] = [];
    let token: string | undefined;
    do {
      const page = await this.connection.request({ doing: 'listing', location }, async (sdk, client, signal) => {
        const command = new sdk.ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token });
        return client.send(command, { abortSignal: signal });
      });
      // A key that ends with "/" is a folder's marker, which consoles make.
      for (const { Key: found } of page.Contents ?? []) if (found?.endsWith('/') === false) keys.push(found);
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
    return keys;
  }

  private async remove(names: readonly string[]): Promise<void> {
    const location = this.root;
    const objects = names.map((name) => ({ Key: this.locate(name).key }));
    const { Errors: errors = [] } = await this.connection.request(
      { doing: 'removing objects of', location },
      async (sdk, client, signal) => {
        const command = new sdk.DeleteObjectsCommand({
          Bucket: location.bucket,
          Delete: { Objects: objects, Quiet: true },
        });
        return client.send(command, { abortSignal: signal });
      },
    );
    if (errors.length === 0) return;
    const [{ Key: key = '', Code: code = '' }] = errors;
    throw new InvalidInputError(`removing ${formatS3Uri({ ...location, key })}: refused with ${code}`, {
      hint: 'check what your credentials may do in this bucket',
    });
  }
}
