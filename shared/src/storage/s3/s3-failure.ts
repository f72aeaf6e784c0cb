import {
  InvalidInputError,
  InvariantBrokenError,
  ShardexError,
  StorageUnavailableError,
  type ErrorOptions,
} from '../../errors/index.js';

/** What a failed request means for what was asked. Only `throttled` and `transient` are worth another try. */
export type S3FailureKind =
  | 'absent'
  | 'no-bucket'
  | 'denied'
  | 'no-credentials'
  | 'precondition'
  | 'beyond-end'
  | 'no-upload'
  | 'throttled'
  | 'transient'
  | 'refused';

/**
 * A failed request, reduced to what may be shown: the SDK's own error carries the request with its signature, and some
 * servers' answers repeat the access key.
 */
export interface S3Failure {
  readonly kind: S3FailureKind;
  /** S3's code ("NoSuchKey"), or the network's ("ECONNRESET"). */
  readonly code: string;
  readonly status: number | null;
  readonly requestId: string | null;
}

/** An answer that ended before, or went beyond, what was asked for; sent again like a lost connection. */
export class IncompleteAnswer extends ShardexError {
  constructor(received: number, expected: number) {
    super('StorageUnavailable', `${received} bytes arrived where ${expected} were asked for`);
  }
}

const THROTTLED = new Set(['SlowDown', 'Throttling', 'ThrottlingException', 'RequestLimitExceeded', 'TooManyRequests']);
const DENIED = new Set([
  'AccessDenied',
  'ExpiredToken',
  'InvalidAccessKeyId',
  'InvalidToken',
  'SignatureDoesNotMatch',
  'TokenRefreshRequired',
]);
/** Answers with a status below 500 that are nevertheless of the moment: damage on the way, races, clocks. */
const TRANSIENT = new Set([
  'BadDigest',
  'ConditionalRequestConflict',
  'IncompleteBody',
  'InternalError',
  'OperationAborted',
  'RequestTimeTooSkewed',
  'RequestTimeout',
  'ServiceUnavailable',
  'XAmzContentChecksumMismatch',
  'XAmzContentSHA256Mismatch',
]);
const NETWORK = new Set([
  'AbortError',
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ETIMEDOUT',
  'TimeoutError',
]);

interface SdkError {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
}

/** Reads a failure out of whatever the SDK or the network threw; null when it is neither's. */
export function readS3Failure(error: unknown): S3Failure | null {
  if (error instanceof IncompleteAnswer) {
    return { kind: 'transient', code: 'IncompleteAnswer', status: null, requestId: null };
  }
  if (typeof error !== 'object' || error === null || error instanceof ShardexError) return null;
  const { name, code, $metadata } = error as SdkError;
  const status = $metadata?.httpStatusCode ?? null;
  const names = [name, code].filter((text): text is string => typeof text === 'string');
  const kind = kindOf(names, status);
  if (kind === null) return null;
  const best = names.find((text) => text !== 'Error' && text !== 'UnknownError') ?? names[0] ?? 'unknown';
  return { kind, code: best, status, requestId: $metadata?.requestId ?? null };
}

function kindOf(names: readonly string[], status: number | null): S3FailureKind | null {
  const has = (set: ReadonlySet<string>): boolean => names.some((name) => set.has(name));
  if (names.includes('CredentialsProviderError') || names.includes('TokenProviderError')) return 'no-credentials';
  if (has(THROTTLED) || status === 503 || status === 429) return 'throttled';
  if (has(TRANSIENT) || has(NETWORK) || status === 408 || (status !== null && status >= 500)) return 'transient';
  if (names.includes('NoSuchBucket')) return 'no-bucket';
  if (names.includes('NoSuchUpload')) return 'no-upload';
  if (has(DENIED) || status === 401 || status === 403) return 'denied';
  if (status === 404) return 'absent';
  if (status === 412) return 'precondition';
  if (status === 416) return 'beyond-end';
  // A good status and yet an error: the answer could not be read to its end.
  if (status !== null && status < 300) return 'transient';
  return status === null ? null : 'refused';
}

/**
 * The failure as one of ours.
 *
 * @param doing - "reading", "writing", "listing", …
 * @param attempts - how often it was tried
 */
export function s3Error(failure: S3Failure, doing: string, uri: string, attempts: number): ShardexError {
  const { kind, code, status, requestId } = failure;
  const what = status === null ? code : `${status} ${code}`;
  const options = (hint: string): ErrorOptions => ({ hint, details: { uri, code, status, requestId } });
  switch (kind) {
    case 'absent':
    case 'no-upload':
      return new InvalidInputError(`${doing} ${uri}: no such object`, options('check the name'));
    case 'no-bucket':
      return new InvalidInputError(`${doing} ${uri}: no such bucket`, options('check the name, or make the bucket'));
    case 'denied':
      return new InvalidInputError(
        `${doing} ${uri}: access denied (${what})`,
        options('check credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID, the role) and what they may do in this bucket'),
      );
    case 'no-credentials':
      return new InvalidInputError(
        `${doing} ${uri}: there are no AWS credentials`,
        options('set AWS_PROFILE or AWS_ACCESS_KEY_ID, or SHARDEX_S3_ANONYMOUS=1 for a public bucket'),
      );
    case 'precondition':
      return new InvalidInputError(
        `${uri} changed while the job was running`,
        options('run again once nothing writes to it'),
      );
    case 'throttled':
    case 'transient':
      return new StorageUnavailableError(
        `${doing} ${uri}: failed ${attempts} times, at last with ${what}`,
        options('check the network and AWS_ENDPOINT_URL, then go on with --resume'),
      );
    case 'beyond-end':
    case 'refused':
      return new InvariantBrokenError(`${doing} ${uri}: refused with ${what}`, options('please report this as a bug'));
  }
}
