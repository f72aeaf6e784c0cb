import type { CliContext } from '../cli-context.js';
import { BarRenderer } from './bar-renderer.js';
import type { JobUpdate } from './job-view.js';
import { JsonRenderer } from './json-renderer.js';
import { LineRenderer } from './line-renderer.js';

/** Shows how a job goes. Called with every update, in order, and once at the end. */
export interface ProgressRenderer {
  update(update: JobUpdate): void;
  /** Leaves the terminal in order: nothing of a bar stays behind. Safe to call twice. */
  end(): void;
}

export interface ProgressChoice {
  readonly quiet?: boolean | undefined;
  readonly json?: boolean | undefined;
}

const SILENT: ProgressRenderer = { update: () => undefined, end: () => undefined };

/** NDJSON with `--json`, nothing with `--quiet`, a bar on a terminal, otherwise a line for each step; all on stderr. */
export function createProgressRenderer(context: CliContext, choice: ProgressChoice): ProgressRenderer {
  if (choice.json === true) return new JsonRenderer(context.stderr);
  if (choice.quiet === true) return SILENT;
  return context.stderr.isTerminal
    ? new BarRenderer(context.stderr, context.nowMs)
    : new LineRenderer(context.stderr, context.nowMs);
}
