import { ShardexError, toShardexError, type ErrorDetails, type ErrorTag } from '@shardex/shared/errors';

/** An error on its way between threads: structured clone would strip it of its tag. */
export interface FailureMessage {
  readonly kind: 'failed';
  readonly tag: ErrorTag;
  readonly message: string;
  readonly hint: string;
  readonly details: ErrorDetails;
  readonly stack: string;
}

/** @param doing - what failed, for errors that are not ours */
export function toFailureMessage(error: unknown, doing: string): FailureMessage {
  const { tag, message, hint, details, cause, stack } = toShardexError(error, doing);
  return {
    kind: 'failed',
    tag,
    message,
    hint,
    details,
    stack: (cause instanceof Error ? cause.stack : stack) ?? '',
  };
}

export const fromFailureMessage = ({ tag, message, hint, details, stack }: FailureMessage): ShardexError =>
  new ShardexError(tag, message, { hint, details, cause: stack });
