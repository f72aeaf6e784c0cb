import { CommanderError } from 'commander';
import { ERROR_POLICIES, InvalidInputError, ShardexError, toShardexError } from '@shardex/shared/errors';
import type { CliContext } from './cli-context.js';

/**
 * What commander says about wrong use, as one of our sentences: "error: unknown option '--tets'\n(Did you mean --tests?)"
 * becomes "unknown option '--tets': did you mean --tests?".
 */
export function fromCommanderError(error: CommanderError): InvalidInputError {
  const [first, suggestion] = error.message.replace(/^error: /, '').split('\n');
  const near = /^\(Did you mean (.+)\?\)$/.exec(suggestion ?? '');
  return new InvalidInputError(first.replace(/\.$/, ''), {
    hint: near === null ? 'add --help to see what is possible' : `did you mean ${near[1]}?`,
    cause: error,
  });
}

/** Commander reports that help or the version was shown by throwing; that is no failure. */
const isHelp = (error: unknown): boolean => error instanceof CommanderError && error.exitCode === 0;

/**
 * Says what went wrong, once and in one sentence, and tells the exit code: 1 failed job, 2 wrong use or bad input,
 * 130 interrupted. With `SHARDEX_DEBUG=1` the stack and its causes follow.
 */
export function reportError(error: unknown, context: CliContext): number {
  if (isHelp(error)) return 0;
  const known: ShardexError =
    error instanceof CommanderError ? fromCommanderError(error) : toShardexError(error, 'shardex');
  // A sentence is one line, whatever a library put into its message.
  const sentence = known.sentence.replace(/\s*\n\s*/g, ' ').trim();
  context.stderr.write(`shardex: ${sentence}\n`);
  if (context.environment['SHARDEX_DEBUG'] === '1') {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
      context.stderr.write(`${cause.stack ?? cause.message}\n`);
  }
  return ERROR_POLICIES[known.tag].exitCode;
}
