import { prepareH5adMetadata } from '@shardex/shared/h5ad';

/** Commands that begin with an h5ad file's description, and the flag that leaves it to another process. */
const READERS: readonly (string | undefined)[] = ['de', 'plan', 'inspect'];
const ELSEWHERE = '--coordinator';

/**
 * The `shardex` command, all of it but `shardex worker`.
 *
 * @param argv - arguments without the names of Node and the script
 * @returns the exit code: 0 success, 1 failed job, 2 wrong use or bad input, 130 interrupted
 */
export async function main(argv: readonly string[]): Promise<number> {
  // A thread loads the HDF5 library while this one loads the commands: both take a tenth of a second.
  if (READERS.includes(argv[0]) && !argv.some((flag) => flag.startsWith(ELSEWHERE))) prepareH5adMetadata();
  const { runCommand } = await import('./run-command.js');
  return runCommand(argv);
}
