import { ShardexError, type ErrorOptions } from './shardex-error.js';

/** The user asked for something that cannot be done: wrong option, unknown column, malformed file. */
export class InvalidInputError extends ShardexError {
  constructor(message: string, options?: ErrorOptions) {
    super('InvalidInput', message, options);
  }
}

/** The file is valid but uses a feature this version does not read. */
export class UnsupportedDataError extends ShardexError {
  constructor(message: string, options?: ErrorOptions) {
    super('UnsupportedData', message, options);
  }
}

/** Bytes that cannot be what they claim to be; `details` names the path and, where known, the chunk. */
export class CorruptDataError extends ShardexError {
  constructor(message: string, options?: ErrorOptions) {
    super('CorruptData', message, options);
  }
}

/** Storage did not answer, or answered with an error of its own; worth another try. */
export class StorageUnavailableError extends ShardexError {
  constructor(message: string, options?: ErrorOptions) {
    super('StorageUnavailable', message, options);
  }
}

/** Memory, disk or another quota ran out. */
export class ResourceExhaustedError extends ShardexError {
  constructor(message: string, options?: ErrorOptions) {
    super('ResourceExhausted', message, options);
  }
}

/** A worker stopped answering; its tasks go elsewhere. */
export class WorkerLostError extends ShardexError {
  constructor(message: string, options?: ErrorOptions) {
    super('WorkerLost', message, options);
  }
}

/** An intermediate result that was committed is gone or damaged and has to be made again. */
export class ResultLostError extends ShardexError {
  constructor(message: string, options?: ErrorOptions) {
    super('ResultLost', message, options);
  }
}

/** A report from an attempt that is no longer the current one. */
export class StaleAttemptError extends ShardexError {
  constructor(message: string, options?: ErrorOptions) {
    super('StaleAttempt', message, options);
  }
}

/** Someone asked for the work to stop. */
export class CancelledError extends ShardexError {
  constructor(message: string, options?: ErrorOptions) {
    super('Cancelled', message, options);
  }
}

/** Work took longer than it was allowed. */
export class DeadlineExceededError extends ShardexError {
  constructor(message: string, options?: ErrorOptions) {
    super('DeadlineExceeded', message, options);
  }
}

/** A bug of ours: a state or value that the design rules out. */
export class InvariantBrokenError extends ShardexError {
  constructor(message: string, options?: ErrorOptions) {
    super('InvariantBroken', message, options);
  }
}
