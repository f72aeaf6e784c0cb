import type * as Sdk from '@aws-sdk/client-s3';
import type { GetObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import { InvalidInputError, InvariantBrokenError, toShardexError, UnsupportedDataError } from '../../errors/index.js';
import { Limiter } from './limiter.js';
import { backoffMs, retryPolicy, type RetryPolicy } from './retry.js';
import { IncompleteAnswer, readS3Failure, s3Error, type S3Failure, type S3FailureKind } from './s3-failure.js';
import { readS3Settings, type S3Settings } from './s3-settings.js';
import { formatS3Uri, type S3Location } from './s3-uri.js';

/** The SDK as it is handed to whoever makes a request. */
export type S3Sdk = typeof Sdk;
type GetBody = NonNullable<GetObjectCommandOutput['Body']>;

const CONNECT_TIMEOUT_MS = 10_000;
/** A body is given this much longer for each byte: 100 kB/s is no connection to compute over. */
const LEAST_BYTES_PER_MS = 100;
/** Requests of one thread in flight at once; one connection brings 50 to 90 MB/s from S3. */
const MAX_REQUESTS = 32;
/** Where nothing names a region; S3 redirects to the bucket's own. */
const FALLBACK_REGION = 'us-east-1';

/** What one request is about: for error messages, and for failures that are answers rather than errors. */
export interface S3Request {
  /** "reading", "writing", … */
  readonly doing: string;
  readonly location: S3Location;
  /** Bytes sent or received: the time-out grows with them. */
  readonly bytes?: number;
}

/** A piece of an object, as it was when it was read. */
export interface RangeAnswer {
  readonly version: string;
  /** Of the whole object. */
  readonly sizeBytes: number;
  readonly received: number;
}

/** How a request failed for good. `repeated`: an earlier try may have been carried out though its answer was lost. */
export interface FinalFailure extends S3Failure {
  readonly repeated: boolean;
}

/**
 * The way of this thread to S3: one SDK client, made when it is first needed, and requests that are repeated.
 *
 * The SDK is loaded on first use: programs that never touch S3 do not pay for it.
 */
export class S3Connection {
  private client: Promise<{ sdk: S3Sdk; client: S3Client }> | undefined;
  private readonly retries: RetryPolicy;
  private readonly limiter = new Limiter(MAX_REQUESTS);

  constructor(
    private readonly settings: S3Settings,
    retries?: RetryPolicy,
  ) {
    this.retries = retries ?? retryPolicy(settings.attempts);
  }

  /** The connection of this thread, set up from the environment. */
  static shared(): S3Connection {
    sharedConnection ??= new S3Connection(readS3Settings(process.env));
    return sharedConnection;
  }

  /**
   * Sends a request until it succeeds or cannot.
   *
   * @param send - makes and sends it; called once for every try
   * @param expected - kinds of failure that are answers: given to `otherwise` instead of being thrown
   * @throws InvalidInputError when object, bucket or rights are missing; StorageUnavailableError after the last try
   */
  async request<Output>(
    about: S3Request,
    send: (sdk: S3Sdk, client: S3Client, signal: AbortSignal) => Promise<Output>,
    expected: readonly S3FailureKind[] = [],
    otherwise?: (failure: FinalFailure) => Promise<Output> | Output,
  ): Promise<Output> {
    const { doing, location, bytes = 0 } = about;
    const { attempts, random, wait } = this.retries;
    const deadlineMs = Math.ceil(this.settings.timeoutMs + bytes / LEAST_BYTES_PER_MS);
    let repeated = false;
    for (let attempt = 1; ; attempt++) {
      try {
        const { sdk, client } = await this.open();
        return await this.limiter.run(() => send(sdk, client, AbortSignal.timeout(deadlineMs)));
      } catch (error) {
        const uri = formatS3Uri(location);
        const failure = readS3Failure(error);
        // The SDK's own error stays here: it holds the signed request.
        if (failure === null) throw toShardexError(error, `${doing} ${uri}`);
        if (expected.includes(failure.kind) && otherwise !== undefined) return otherwise({ ...failure, repeated });
        const isWorthwhile = failure.kind === 'throttled' || failure.kind === 'transient';
        if (!isWorthwhile || attempt === attempts) throw s3Error(failure, doing, uri, attempt);
        repeated = true;
        await wait(backoffMs(attempt, failure.kind === 'throttled', random));
      }
    }
  }

  /**
   * Reads [offset, offset + target.byteLength) in one request; less where the object ends before.
   *
   * @param version - the ETag the object must still have; null: whatever is there
   * @param expected, otherwise - as of `request`
   */
  getRange(
    location: S3Location,
    offset: number,
    target: Uint8Array,
    version: string | null,
    expected: readonly S3FailureKind[] = [],
    otherwise?: (failure: FinalFailure) => Promise<RangeAnswer> | RangeAnswer,
  ): Promise<RangeAnswer> {
    const about = { doing: 'reading', location, bytes: target.byteLength };
    return this.request(
      about,
      async (sdk, client, signal) => {
        const command = new sdk.GetObjectCommand({
          Bucket: location.bucket,
          Key: location.key,
          Range: `bytes=${offset}-${offset + target.byteLength - 1}`,
          ...(version === null ? {} : { IfMatch: version }),
        });
        const { Body: body, ContentRange: range, ETag: etag } = await client.send(command, { abortSignal: signal });
        const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(range ?? '') ?? [];
        if (body === undefined || etag === undefined || Number(first) !== offset) {
          abandon(body);
          throw new UnsupportedDataError(`${formatS3Uri(location)}: this server answers without byte ranges or ETags`, {
            hint: 'copy the file to a local disk first',
          });
        }
        const received = Number(last) - offset + 1;
        await this.receive(body, target.subarray(0, received), signal);
        return { version: etag, sizeBytes: Number(total), received };
      },
      expected,
      otherwise,
    );
  }

  /** Ends its sockets; another request opens new ones. */
  async close(): Promise<void> {
    const opened = this.client;
    this.client = undefined;
    (await opened?.catch(() => undefined))?.client.destroy();
  }

  /** Reads a body into `target`; silence longer than the time-out ends the try. */
  private async receive(body: GetBody, target: Uint8Array, signal: AbortSignal): Promise<void> {
    const silence = new AbortController();
    const end = (): void => abandon(body);
    const timer = setTimeout(() => silence.abort(), this.settings.timeoutMs);
    const either = AbortSignal.any([silence.signal, signal]);
    either.addEventListener('abort', end, { once: true });
    let received = 0;
    try {
      for await (const chunk of body as AsyncIterable<Uint8Array>) {
        if (received + chunk.byteLength > target.byteLength) throw new IncompleteAnswer(received, target.byteLength);
        target.set(chunk, received);
        received += chunk.byteLength;
        timer.refresh();
      }
    } finally {
      clearTimeout(timer);
      either.removeEventListener('abort', end);
    }
    if (received !== target.byteLength) throw new IncompleteAnswer(received, target.byteLength);
  }

  private open(): Promise<{ sdk: S3Sdk; client: S3Client }> {
    this.client ??= openClient(this.settings);
    return this.client;
  }
}

let sharedConnection: S3Connection | undefined;

async function openClient(settings: S3Settings): Promise<{ sdk: S3Sdk; client: S3Client }> {
  // It warns that its later versions need a later Node: which of them is used is not for our users to decide.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const sdk = await import('@aws-sdk/client-s3');
  const make = (region: string | undefined): S3Client =>
    new sdk.S3Client({
      ...(region === undefined ? {} : { region }),
      forcePathStyle: settings.forcePathStyle,
      followRegionRedirects: true,
      // Repeating is done here, where it covers the body of an answer too.
      maxAttempts: 1,
      // Checksums of whole objects say nothing of a range; what is read carries checksums of its own.
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: CONNECT_TIMEOUT_MS,
        httpAgent: { keepAlive: true, maxSockets: MAX_REQUESTS },
        httpsAgent: { keepAlive: true, maxSockets: MAX_REQUESTS },
      },
      ...(settings.anonymous
        ? {
            signer: { sign: (request) => Promise.resolve(request) },
            credentials: { accessKeyId: '', secretAccessKey: '' },
          }
        : {}),
    });
  const client = make(settings.region);
  try {
    await client.config.region();
    return { sdk, client };
  } catch {
    // Neither the environment nor the profile names a region.
    return { sdk, client: make(FALLBACK_REGION) };
  }
}

/** Closes a body that will not be read to its end. */
function abandon(body: GetBody | undefined): void {
  if (body === undefined) return;
  if (!('destroy' in body)) throw new InvariantBrokenError('the SDK answered with something that is no Node stream');
  body.destroy();
}

/** The bytes of a small object. @throws InvalidInputError when there is no such object */
export async function readWhole(connection: S3Connection, location: S3Location): Promise<Uint8Array> {
  return connection.request({ doing: 'reading', location }, async (sdk, client, signal) => {
    const command = new sdk.GetObjectCommand({ Bucket: location.bucket, Key: location.key });
    const { Body: body } = await client.send(command, { abortSignal: signal });
    if (body === undefined) throw new InvalidInputError(`reading ${formatS3Uri(location)}: no such object`);
    return body.transformToByteArray();
  });
}
