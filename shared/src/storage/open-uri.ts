import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { InvalidInputError } from '../errors/index.js';
import type { ByteSource, ObjectStore } from './byte-source.js';
import { FileByteSource } from './file-byte-source.js';
import { FolderStore } from './folder-store.js';
import { splitObjectUri } from './object-uri.js';
import { isS3Uri, parseS3Uri, S3ByteSource, S3Connection, S3Store } from './s3/index.js';

/**
 * Opens one object for reading, wherever it is. A read fails once the object on S3 is no longer the one that was opened.
 *
 * @param uri - a path, file://… or s3://…
 * @throws InvalidInputError when there is no such file or object, it may not be read, or its scheme is unknown
 */
export async function openByteSource(uri: string): Promise<ByteSource> {
  if (isS3Uri(uri)) return S3ByteSource.open(S3Connection.shared(), parseS3Uri(uri), true);
  return FileByteSource.open(localPath(uri));
}

/** The place that holds named objects: a folder, or a prefix of a bucket. Nothing is touched until it is used. */
export function openStore(uri: string): ObjectStore {
  return isS3Uri(uri) ? new S3Store(uri) : new FolderStore(localPath(uri));
}

/** Whether there is something at an address. @throws InvalidInputError when access is denied */
export async function objectExists(uri: string): Promise<boolean> {
  if (!isS3Uri(uri)) return existsSync(localPath(uri));
  const { folder, name } = splitObjectUri(uri);
  return new S3Store(folder).exists(name);
}

/** The path behind a URI. */
function localPath(uri: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(uri)?.[1]?.toLowerCase();
  if (scheme === undefined) return uri;
  if (scheme === 'file') return fileURLToPath(uri);
  throw new InvalidInputError(`${uri}: "${scheme}" is not a kind of storage this program knows`, {
    hint: 'give a path or s3://bucket/key',
    details: { uri },
  });
}
