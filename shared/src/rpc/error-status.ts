import { Metadata, status as GrpcStatus, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import {
  CancelledError,
  CorruptDataError,
  DeadlineExceededError,
  InvalidInputError,
  InvariantBrokenError,
  ResourceExhaustedError,
  ResultLostError,
  type ShardexError,
  StaleAttemptError,
  StorageUnavailableError,
  UnsupportedDataError,
  WorkerLostError,
  toShardexError,
  type ErrorDetails,
  type ErrorOptions,
  type ErrorTag,
} from '../errors/index.js';

type ErrorClass = new (message: string, options?: ErrorOptions) => ShardexError;

/** The one table between our errors and gRPC's codes. Codes are distinct, so it can be read both ways. */
const STATUS_OF_TAG: Readonly<Record<ErrorTag, { readonly code: GrpcStatus; readonly make: ErrorClass }>> = {
  InvalidInput: { code: GrpcStatus.INVALID_ARGUMENT, make: InvalidInputError },
  UnsupportedData: { code: GrpcStatus.UNIMPLEMENTED, make: UnsupportedDataError },
  CorruptData: { code: GrpcStatus.DATA_LOSS, make: CorruptDataError },
  StorageUnavailable: { code: GrpcStatus.UNAVAILABLE, make: StorageUnavailableError },
  ResourceExhausted: { code: GrpcStatus.RESOURCE_EXHAUSTED, make: ResourceExhaustedError },
  WorkerLost: { code: GrpcStatus.FAILED_PRECONDITION, make: WorkerLostError },
  ResultLost: { code: GrpcStatus.NOT_FOUND, make: ResultLostError },
  StaleAttempt: { code: GrpcStatus.ABORTED, make: StaleAttemptError },
  Cancelled: { code: GrpcStatus.CANCELLED, make: CancelledError },
  DeadlineExceeded: { code: GrpcStatus.DEADLINE_EXCEEDED, make: DeadlineExceededError },
  InvariantBroken: { code: GrpcStatus.INTERNAL, make: InvariantBrokenError },
};

/** Trailing metadata: the tag for people with grpcurl, and the whole error as UTF-8 JSON for our clients. */
const TAG_KEY = 'shardex-tag';
const ERROR_KEY = 'shardex-error-bin';

/** Trailers share HTTP/2's header limits (16 KiB at many proxies), so a long sentence is cut for the crossing. */
const MAX_MESSAGE_CHARACTERS = 2_000;

const cut = (text: string): string =>
  text.length <= MAX_MESSAGE_CHARACTERS ? text : `${text.slice(0, MAX_MESSAGE_CHARACTERS)} …`;

const isErrorTag = (text: unknown): text is ErrorTag => typeof text === 'string' && Object.hasOwn(STATUS_OF_TAG, text);

/** Makes the error of a family from its tag; an unknown tag (another version's) becomes `InvariantBroken` and keeps its name in `details`. */
export function errorOfTag(tag: string, message: string, options: ErrorOptions = {}): ShardexError {
  if (isErrorTag(tag)) return new STATUS_OF_TAG[tag].make(message, options);
  return new InvariantBrokenError(message, { ...options, details: { ...options.details, unknownTag: tag } });
}

/** gRPC's code for a tag. */
export const statusOfTag = (tag: ErrorTag): GrpcStatus => STATUS_OF_TAG[tag].code;

/**
 * An error as a handler hands it to grpc-js.
 *
 * @param error - anything that was thrown
 * @param doing - what was being done, for errors that are not ours
 */
export function toStatus(error: unknown, doing: string): StatusObject {
  const known = toShardexError(error, doing);
  const metadata = new Metadata();
  const payload = {
    tag: known.tag,
    message: cut(known.message),
    hint: cut(known.hint),
    details: boundDetails(known.details),
  };
  metadata.set(TAG_KEY, known.tag);
  metadata.set(ERROR_KEY, Buffer.from(JSON.stringify(payload)));
  return { code: statusOfTag(known.tag), details: cut(known.sentence), metadata };
}

/** Details are a help, not a transport: those that do not fit are left out. */
function boundDetails(details: ErrorDetails): ErrorDetails {
  return JSON.stringify(details).length <= MAX_MESSAGE_CHARACTERS ? details : { detailsLeftOut: true };
}

/**
 * The error a client throws for a failed call: ours with tag, hint and details where the peer sent one, otherwise what
 * gRPC's code means for the caller.
 *
 * @param error - what grpc-js reported
 * @param call - as "WatchJob at 127.0.0.1:7443"; becomes part of the sentence
 */
export function fromStatus(error: ServiceError, call: string): ShardexError {
  const options = { cause: error, details: { grpcCode: GrpcStatus[error.code] ?? String(error.code) } };
  // The status may come from this side (a deadline, a refused connection): then there is no metadata to read.
  const sent = readPayload(error.metadata);
  if (sent !== null)
    return errorOfTag(sent.tag, sent.message, { cause: error, hint: sent.hint, details: sent.details });
  switch (error.code) {
    case GrpcStatus.UNAVAILABLE:
      return new StorageUnavailableError(`${call}: nobody answers (${error.details})`, {
        ...options,
        hint: 'check that the coordinator is running and that the address is right',
      });
    case GrpcStatus.UNIMPLEMENTED:
      return new UnsupportedDataError(`${call}: the other side does not know this call`, {
        ...options,
        hint: 'use the same version of shardex on both sides',
      });
    case GrpcStatus.DEADLINE_EXCEEDED:
      return new DeadlineExceededError(`${call}: no answer in time`, options);
    case GrpcStatus.CANCELLED:
      return new CancelledError(`${call}: cancelled`, options);
    case GrpcStatus.RESOURCE_EXHAUSTED:
      return new ResourceExhaustedError(`${call}: ${error.details}`, options);
    case GrpcStatus.INVALID_ARGUMENT:
      return new InvalidInputError(`${call}: ${error.details}`, options);
    default:
      return new InvariantBrokenError(`${call}: ${error.details}`, options);
  }
}

interface Payload {
  readonly tag: string;
  readonly message: string;
  readonly hint: string;
  readonly details: ErrorDetails;
}

function readPayload(metadata: Metadata | undefined): Payload | null {
  const raw = metadata?.get(ERROR_KEY)[0];
  if (!Buffer.isBuffer(raw)) return null;
  try {
    const value = JSON.parse(raw.toString('utf8')) as Partial<Payload>;
    return typeof value.tag === 'string' && typeof value.message === 'string'
      ? { tag: value.tag, message: value.message, hint: value.hint ?? '', details: value.details ?? {} }
      : null;
  } catch {
    // Not our JSON: a proxy or another product used the key. The code alone still says what happened.
    return null;
  }
}
