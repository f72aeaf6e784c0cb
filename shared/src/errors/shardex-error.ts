/**
 * The one base class of every failure this product reports on purpose.
 *
 * `retryable` says whether the same work may succeed elsewhere or later; `countsAsAttempt` says whether such a failure
 * uses up one of a task's attempts (a lost worker does not: the task is not to blame). A fit that does not converge is
 * not an error but a status of its gene.
 */
export type ErrorTag =
  | 'InvalidInput'
  | 'UnsupportedData'
  | 'CorruptData'
  | 'StorageUnavailable'
  | 'ResourceExhausted'
  | 'WorkerLost'
  | 'ResultLost'
  | 'StaleAttempt'
  | 'Cancelled'
  | 'DeadlineExceeded'
  | 'InvariantBroken';

export interface ErrorPolicy {
  readonly retryable: boolean;
  readonly countsAsAttempt: boolean;
  /** Exit code of the command line: 2 wrong use or bad input, 1 failed job, 130 interrupted. */
  readonly exitCode: 1 | 2 | 130;
}

export const ERROR_POLICIES: Readonly<Record<ErrorTag, ErrorPolicy>> = {
  InvalidInput: { retryable: false, countsAsAttempt: true, exitCode: 2 },
  UnsupportedData: { retryable: false, countsAsAttempt: true, exitCode: 2 },
  CorruptData: { retryable: false, countsAsAttempt: true, exitCode: 2 },
  StorageUnavailable: { retryable: true, countsAsAttempt: true, exitCode: 1 },
  ResourceExhausted: { retryable: true, countsAsAttempt: true, exitCode: 1 },
  WorkerLost: { retryable: true, countsAsAttempt: false, exitCode: 1 },
  ResultLost: { retryable: true, countsAsAttempt: false, exitCode: 1 },
  StaleAttempt: { retryable: false, countsAsAttempt: false, exitCode: 1 },
  Cancelled: { retryable: false, countsAsAttempt: false, exitCode: 130 },
  DeadlineExceeded: { retryable: true, countsAsAttempt: true, exitCode: 1 },
  InvariantBroken: { retryable: false, countsAsAttempt: true, exitCode: 1 },
};

export type ErrorDetails = Readonly<Record<string, string | number | boolean | null>>;

export interface ErrorOptions {
  /** What the user can do about it, as an imperative clause without a full stop. */
  readonly hint?: string;
  readonly details?: ErrorDetails;
  readonly cause?: unknown;
}

export class ShardexError extends Error {
  readonly tag: ErrorTag;
  readonly hint: string;
  readonly details: ErrorDetails;

  constructor(tag: ErrorTag, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = tag;
    this.tag = tag;
    this.hint = options.hint ?? '';
    this.details = options.details ?? {};
  }

  get retryable(): boolean {
    return ERROR_POLICIES[this.tag].retryable;
  }

  get countsAsAttempt(): boolean {
    return ERROR_POLICIES[this.tag].countsAsAttempt;
  }

  /** The one sentence a user reads: what is wrong and where, then what to do. */
  get sentence(): string {
    return this.hint === '' ? this.message : `${this.message}: ${this.hint}`;
  }
}
