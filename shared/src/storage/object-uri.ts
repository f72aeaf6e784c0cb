import { join } from 'node:path';
import { InvalidInputError } from '../errors/index.js';
import { isS3Uri } from './s3/index.js';

/** The place `name` below another place, which is a path or s3://…; names use "/". */
export const joinUri = (base: string, name: string): string =>
  isS3Uri(base) ? `${base.replace(/\/+$/, '')}/${name}` : join(base, name);

/**
 * The place that holds an object on S3, and the object's name there.
 *
 * @throws InvalidInputError when it names a bucket only
 */
export function splitObjectUri(uri: string): { readonly folder: string; readonly name: string } {
  const [, folder, name] = /^(s3:\/\/.+)\/([^/]+)$/is.exec(uri.replace(/\/+$/, '')) ?? [];
  if (folder !== undefined && name !== undefined) return { folder, name };
  throw new InvalidInputError(`${uri} names no object`, { hint: 'write s3://bucket/key', details: { uri } });
}
