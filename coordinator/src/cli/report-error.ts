import { CommanderError } from 'commander';
import { ERROR_POLICIES, InvalidInputError, type ShardexError, toShardexError } from '@shardex/shared/errors';
import type { CliContext } from './cli-context.js';

/**
 * What commander says about wrong use, as one of our sentences: "error: unknown option '--tets'\n(Did you mean --tests?)"
 * becomes "unknown option '--tets': did you mean --tests?".
 *
 * @param argv - the command line, whose first word says which help to point to
 */
export function fromCommanderError(error: CommanderError, argv: readonly string[]): InvalidInputError {
  const command = error.code === 'commander.unknownCommand' || argv[0]?.startsWith('-') !== false ? '' : ` ${argv[0]}`;
  const [first, suggestion] = error.message.replace(/^error: /, '').split('\n');
  const near = /^\(Did you mean (.+)\?\)$/.exec(suggestion ?? '');
  return new InvalidInputError(first.replace(/\.$/, ''), {
    hint: near === null ? `see shardex${command} --help` : `did you mean ${near[1]}?`,
    cause: error,
  });
}

/** Commander reports that help or the version was shown by throwing; that is no failure. */
const isHelp = (error: unknown): boolean => error instanceof CommanderError && error.exitCode === 0;

/**
 * Says what went wrong, once and in one sentence, and tells the exit code: 1 failed job, 2 wrong use or bad input,
 * 130 interrupted; help is no failure. With `SHARDEX_DEBUG=1` the stack and its causes follow.
 */
export function reportError(error: unknown, context: CliContext, argv: readonly string[]): number {
  if (isHelp(error)) return 0;
  const known: ShardexError =
    error instanceof CommanderError ? fromCommanderError(error, argv) : toShardexError(error, 'shardex');
  // A sentence is one line, whatever a library put into its message.
  const sentence = known.sentence.replace(/\s*\n\s*/g, ' ').trim();
  context.stderr.write(`shardex: ${sentence}\n`);
  if (context.environment['SHARDEX_DEBUG'] === '1') {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
      context.stderr.write(`${cause.stack ?? cause.message}\n`);
  }
  return ERROR_POLICIES[known.tag].exitCode;
}
