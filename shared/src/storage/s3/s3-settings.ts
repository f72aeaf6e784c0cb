import { InvalidInputError } from '../../errors/index.js';

/** What is decided here; everything else (credentials, profile, endpoint) the SDK finds by AWS's own conventions. */
export interface S3Settings {
  /** undefined: that of the profile, or us-east-1; a bucket elsewhere is found by its redirect. */
  readonly region: string | undefined;
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`. */
  readonly forcePathStyle: boolean;
  /** Send unsigned requests, as public buckets allow. */
  readonly anonymous: boolean;
  /** Tries of one request, the first included. */
  readonly attempts: number;
  /** A request, or the next bytes of its answer, may take so long. */
  readonly timeoutMs: number;
}

/** More than the SDK's 3: a throttled prefix takes S3 some seconds to spread. */
const DEFAULT_ATTEMPTS = 8;
const DEFAULT_TIMEOUT_SECONDS = 30;

/**
 * @param env - the environment
 * @throws InvalidInputError for a setting that cannot be understood
 */
export function readS3Settings(env: NodeJS.ProcessEnv): S3Settings {
  // A variable that is set to nothing is not set.
  const first = (...names: string[]): string | undefined => names.map((name) => env[name]).find((text) => text);
  const hasEndpoint = first('AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL') !== undefined;
  return {
    region: first('AWS_REGION', 'AWS_DEFAULT_REGION'),
    forcePathStyle: readSwitch(env, 'SHARDEX_S3_FORCE_PATH_STYLE') ?? hasEndpoint,
    anonymous: readSwitch(env, 'SHARDEX_S3_ANONYMOUS') ?? false,
    attempts: readNumber(env, 'AWS_MAX_ATTEMPTS', 1, 100) ?? DEFAULT_ATTEMPTS,
    timeoutMs: 1000 * (readNumber(env, 'SHARDEX_S3_TIMEOUT_SECONDS', 0.1, 3600) ?? DEFAULT_TIMEOUT_SECONDS),
  };
}

function readSwitch(env: NodeJS.ProcessEnv, name: string): boolean | undefined {
  const text = env[name];
  if (text === undefined || text === '') return undefined;
  if (text === '1' || text === 'true') return true;
  if (text === '0' || text === 'false') return false;
  throw new InvalidInputError(`${name} is "${text}"`, { hint: 'set it to 1 or 0' });
}

function readNumber(env: NodeJS.ProcessEnv, name: string, least: number, most: number): number | undefined {
  const text = env[name];
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (value >= least && value <= most) return value;
  throw new InvalidInputError(`${name} is "${text}"`, { hint: `set it to a number from ${least} to ${most}` });
}
