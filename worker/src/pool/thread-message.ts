import type { TaskAssignment, TaskReport } from '@shardex/shared/artifacts';
import { ShardexError, toShardexError, ResourceExhaustedError } from '@shardex/shared/errors';
import type { ErrorDetails, ErrorTag } from '@shardex/shared/errors';

/** What a compute thread is born with. */
export interface ThreadData {
  /** URL of a module that exports `runTask`. */
  readonly taskModule: string;
  /** Memory of this thread's tasks, in bytes. */
  readonly memoryBytes: number;
  /**
   * One Int32, not 0 once the running task is to be abandoned. A message alone would not reach a task that computes
   * without a pause; it looks here whenever it reports progress.
   */
  readonly abandonFlag: SharedArrayBuffer;
  /** Shortest time between two progress messages. */
  readonly progressIntervalMs: number;
}

export type ToThread = { readonly kind: 'run'; readonly assignment: TaskAssignment } | { readonly kind: 'abandon' };

export type FromThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly fraction: number }
  | { readonly kind: 'completed'; readonly report: TaskReport }
  | { readonly kind: 'failed'; readonly error: ErrorMessage };

/** An error by value: structured cloning keeps no class and no fields of one. */
export interface ErrorMessage {
  readonly tag: ErrorTag;
  readonly message: string;
  readonly hint: string;
  readonly details: ErrorDetails;
}

/** What V8 says when memory outside its heap cannot be had: buffers of typed arrays and of WebAssembly. */
const ALLOCATION_FAILURE =
  /array buffer allocation failed|invalid (typed )?array (buffer )?length|could not allocate memory|out of memory/i;

/**
 * Whatever a task threw, as a message.
 *
 * @param doing - what was being done, for errors that are not ours
 */
export function toErrorMessage(error: unknown, doing: string): ErrorMessage {
  const isAllocation =
    error instanceof RangeError && !(error instanceof ShardexError) && ALLOCATION_FAILURE.test(error.message);
  const known = isAllocation
    ? new ResourceExhaustedError(`${doing}: ${error.message}`, { cause: error, hint: MORE_MEMORY })
    : toShardexError(error, doing);
  // A stack is for whoever reads the log, and worth its bytes only where the error is a bug.
  const stack =
    known.tag === 'InvariantBroken' ? (known.cause instanceof Error ? known.cause : known).stack : undefined;
  return {
    tag: known.tag,
    message: known.message,
    hint: known.hint,
    details: stack === undefined ? known.details : { ...known.details, stack },
  };
}

export const fromErrorMessage = ({ tag, message, hint, details }: ErrorMessage): ShardexError =>
  new ShardexError(tag, message, { hint, details });

export const MORE_MEMORY = 'give the worker more memory with --memory, or fewer threads with --threads';
