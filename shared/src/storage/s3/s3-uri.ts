import { InvalidInputError } from '../../errors/index.js';

/** A place on S3: a bucket and a key, or a prefix of keys. */
export interface S3Location {
  readonly bucket: string;
  /** Without slashes at its ends; empty for the whole bucket. */
  readonly key: string;
}

export const isS3Uri = (uri: string): boolean => /^s3:\/\//i.test(uri);

/**
 * Takes `s3://bucket/key` apart. Keys are taken literally, as the AWS command line does: nothing is percent-decoded.
 *
 * @throws InvalidInputError when there is no bucket, or the key has empty parts
 */
export function parseS3Uri(uri: string): S3Location {
  const [, bucket, rest] = /^s3:\/\/([^/]*)\/?(.*)$/is.exec(uri) ?? [];
  const key = (rest ?? '').replace(/\/+$/, '');
  if (bucket === undefined || !/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/.test(bucket)) {
    throw new InvalidInputError(`${uri} names no bucket`, { hint: 'write s3://bucket/key', details: { uri } });
  }
  if (key.split('/').some((part) => part === '') && key !== '') {
    throw new InvalidInputError(`${uri} has an empty part`, { hint: 'write s3://bucket/key', details: { uri } });
  }
  return { bucket, key };
}

export const formatS3Uri = ({ bucket, key }: S3Location): string => `s3://${bucket}${key === '' ? '' : `/${key}`}`;
