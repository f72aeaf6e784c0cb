import type { WriteStream } from 'node:tty';
import { onStopSignals } from '@shardex/shared/config';
import type { CliContext, CliOutput, CliServices } from './cli-context.js';
import { forTerminal } from './render/for-terminal.js';

const DEFAULT_COLUMNS = 80;

/** Colours for terminals that have them, unless `NO_COLOR` says no (https://no-color.org). */
function hasColour(stream: WriteStream, environment: NodeJS.ProcessEnv): boolean {
  return stream.isTTY && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb';
}

function outputOf(stream: WriteStream, environment: NodeJS.ProcessEnv): CliOutput {
  const shown = (text: string): string => (stream.isTTY ? forTerminal(text) : text);
  return {
    isTerminal: stream.isTTY && environment['TERM'] !== 'dumb',
    get columns() {
      // A terminal that does not know its size reports 0.
      return stream.isTTY && stream.columns > 0 ? stream.columns : DEFAULT_COLUMNS;
    },
    hasColour: hasColour(stream, environment),
    write: (text) => void stream.write(shown(text)),
    flush: (text) => new Promise((resolve) => stream.write(shown(text), () => resolve())),
  };
}

/** The context of the process that runs: its streams, environment, signals and exit. */
export function processContext(version: string, services: CliServices): CliContext {
  // A reader that has seen enough (head, less) closes the pipe: that ends the program, and is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  return {
    version,
    stdout: outputOf(process.stdout, process.env),
    stderr: outputOf(process.stderr, process.env),
    environment: process.env,
    folder: process.cwd(),
    services,
    nowMs: () => Date.now(),
    onInterrupt: (listener) => onStopSignals(listener),
    exitNow: (code) => process.exit(code),
  };
}
