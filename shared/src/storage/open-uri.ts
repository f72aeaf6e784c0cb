import { fileURLToPath } from 'node:url';
import { InvalidInputError, UnsupportedDataError } from '../errors/index.js';
import type { ByteSource, ObjectStore } from './byte-source.js';
import { FileByteSource } from './file-byte-source.js';
import { FolderStore } from './folder-store.js';

/**
 * Opens one object for reading, wherever it is.
 *
 * @param uri - a path, or a file:// URI
 * @throws InvalidInputError when there is no such file or its scheme is unknown
 * @throws UnsupportedDataError for s3://
 */
export async function openByteSource(uri: string): Promise<ByteSource> {
  return FileByteSource.open(localPath(uri, 'reading from', 'copy the file to a local disk first'));
}

/**
 * The place that holds named objects. Nothing is touched until it is used.
 *
 * @throws UnsupportedDataError for s3://
 */
export function openStore(uri: string): ObjectStore {
  return new FolderStore(localPath(uri, 'writing to', 'name a local folder and copy it afterwards'));
}

/** The path behind a URI, for the parts that can only work on files. */
function localPath(uri: string, doing: string, hint: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(uri)?.[1]?.toLowerCase();
  if (scheme === undefined) return uri;
  if (scheme === 'file') return fileURLToPath(uri);
  if (scheme === 's3') {
    throw new UnsupportedDataError(`${uri}: ${doing} S3 is not available in this version`, { hint, details: { uri } });
  }
  throw new InvalidInputError(`${uri}: "${scheme}" is not a kind of storage this program knows`, {
    hint: 'give a path',
    details: { uri },
  });
}
