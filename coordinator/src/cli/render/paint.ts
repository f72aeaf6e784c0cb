import type { CliOutput } from '../cli-context.js';

export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  red(text: string): string;
}

/** Colours for an output that shows them, and plain text for all others (no terminal, `NO_COLOR`, `TERM=dumb`). */
export function paintFor(output: Pick<CliOutput, 'hasColour'>): Paint {
  const wrap =
    (open: number, close: number) =>
    (text: string): string =>
      output.hasColour && text !== '' ? `\u001b[${open}m${text}\u001b[${close}m` : text;
  return { bold: wrap(1, 22), dim: wrap(2, 22), green: wrap(32, 39), yellow: wrap(33, 39), red: wrap(31, 39) };
}
