import { CancelledError } from '@shardex/shared/errors';
import type { CliContext } from './cli-context.js';

/** Exit code of a process that a signal ended, by convention 128 + SIGINT. */
export const INTERRUPTED_EXIT_CODE = 130;

/**
 * Runs something that Ctrl-C stops: the first one fires the signal, so that the work can end cleanly, the second one
 * ends the process on the spot.
 *
 * @param stopping - said at the first interrupt, as "cancelling the job"; null: whoever runs says so in a log, and nothing is said
 * @returns what `run` returns
 */
export async function untilInterrupted<Result>(
  context: CliContext,
  stopping: string | null,
  run: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const say = (text: string): void => {
    if (stopping !== null) context.stderr.write(text);
  };
  const release = context.onInterrupt(() => {
    if (controller.signal.aborted) {
      say('shardex: stopped at once\n');
      context.exitNow(INTERRUPTED_EXIT_CODE);
    }
    // The terminal echoes ^C into the line of the bar, if there is one.
    if (context.stderr.isTerminal) say('\r\u001b[2K');
    say(`shardex: ${stopping}; press Ctrl-C again to stop at once\n`);
    controller.abort(new CancelledError('interrupted'));
  });
  try {
    return await run(controller.signal);
  } finally {
    release();
  }
}
