import { Command } from 'commander';
import { InvalidInputError } from '@shardex/shared/errors';
import type { CliContext } from './cli-context.js';
import { addCancelCommand } from './commands/cancel.js';
import { addCoordinatorCommand } from './commands/coordinator.js';
import { addDeCommand } from './commands/de.js';
import { addInspectCommand } from './commands/inspect.js';
import { addJobsCommand } from './commands/jobs.js';
import { addLogsCommand } from './commands/logs.js';
import { addPlanCommand } from './commands/plan.js';
import { addReportCommand } from './commands/report.js';
import { addResultsCommand } from './commands/results.js';
import { addShrinkCommand } from './commands/shrink.js';
import { addSimulateCommand } from './commands/simulate.js';
import { addStatusCommand } from './commands/status.js';
import { addWatchCommand } from './commands/watch.js';
import { addWorkerCommand } from './commands/worker.js';
import { reportError } from './report-error.js';

const EXAMPLES = `
Examples:
  $ shardex simulate screen.h5ad --cells 20000 --genes 2000 --perturbations 50
  $ shardex inspect screen.h5ad
  $ shardex de screen.h5ad --out results
  $ shardex results results --test nb-glm --top 10

Exit codes: 0 success, 1 failed job, 2 wrong use or bad input, 130 interrupted.
Progress and errors go to stderr, what was asked for to stdout. SHARDEX_DEBUG=1 adds stack traces.`;

/** The whole command line. Parsing throws; nothing here ends the process. */
export function createProgram(context: CliContext): Command {
  const program = new Command('shardex');
  program
    .description('Differential expression for CRISPR single-cell screens, distributed and exact.')
    .version(context.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [COMMAND]', 'show the help of a command')
    .usage('COMMAND [options]')
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureHelp({ helpWidth: Math.min(120, Math.max(60, context.stdout.columns)) })
    // Help goes to stdout; what commander says of errors is said again, in our words, by reportError.
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: () => undefined,
      outputError: () => undefined,
    })
    .addHelpText('after', EXAMPLES);
  program.commandsGroup('Analysis:');
  addSimulateCommand(program, context);
  addInspectCommand(program, context);
  addPlanCommand(program, context);
  addDeCommand(program, context);
  addShrinkCommand(program, context);
  addResultsCommand(program, context);
  addReportCommand(program, context);
  program.commandsGroup('Cluster:');
  addCoordinatorCommand(program, context);
  addWorkerCommand(program);
  program.commandsGroup('Jobs of a coordinator:');
  addJobsCommand(program, context);
  addStatusCommand(program, context);
  addWatchCommand(program, context);
  addCancelCommand(program, context);
  addLogsCommand(program, context);
  return program;
}

/**
 * Runs one command line.
 *
 * @param argv - arguments without the names of Node and the script
 * @returns the exit code; errors have been said on stderr
 */
export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  try {
    if (argv.length === 0) {
      throw new InvalidInputError('no command was given', { hint: 'run shardex --help to see what there is' });
    }
    await createProgram(context).parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    return reportError(error, context, argv);
  }
}
