import type { Command } from 'commander';
import { parseNumber, parseWholeNumber } from '@shardex/shared/config';
import { InvalidInputError } from '@shardex/shared/errors';
import { readH5adMetadata } from '@shardex/shared/h5ad';
import { objectExists } from '@shardex/shared/storage';
import type { CliContext, SimulateOptions } from '../cli-context.js';
import { absolutePath } from '../de-option-flags.js';
import { untilInterrupted } from '../interrupt.js';
import { drawBar } from '../progress/bar-renderer.js';
import { formatCount, formatDuration, formatQuantity } from '../render/numbers.js';

interface SimulateFlags {
  readonly cells: string;
  readonly genes: string;
  readonly perturbations: string;
  readonly controlFraction: string;
  readonly depth: string;
  readonly batches: string;
  readonly seed: string;
  readonly force?: boolean;
  readonly quiet?: boolean;
}

const NOTES = `
Writes CSR float32 counts; obs: perturbation (control "non-targeting"), batch, true_size_factor; var: true_mean,
true_dispersion; varm/true_lfc: the natural-log effect of every perturbation on every gene, names in
uns/true_lfc_perturbations. The same options and seed give the same file.

Example:
  $ shardex simulate screen.h5ad --cells 20000 --genes 2000 --perturbations 50 --seed 7`;

export function addSimulateCommand(program: Command, context: CliContext): void {
  program
    .command('simulate')
    .summary('write a screen whose true effects are known')
    .description('Write a negative binomial screen whose true effects are known.')
    .argument('<OUT.h5ad>', 'file to write, or s3://BUCKET/KEY')
    .requiredOption('--cells <N>', 'number of cells')
    .requiredOption('--genes <N>', 'number of genes')
    .requiredOption('--perturbations <N>', 'number of perturbations, the control not counted')
    .option('--control-fraction <SHARE>', 'share of the cells that are controls', '0.08')
    .option('--depth <COUNTS>', 'mean counts of a cell', '8000')
    .option('--batches <N>', 'number of batches', '4')
    .option('--seed <N>', 'of the random numbers', '1')
    .option('--force', 'replace a file that is no simulation (simulations are always replaced)')
    .option('--quiet', 'no progress')
    .addHelpText('after', NOTES)
    .action((output: string, flags: SimulateFlags) => runSimulate(output, flags, context));
}

/** Options as numbers; their ranges are checked by the simulation. @throws InvalidInputError on the first that is no number */
function parseSimulateOptions(output: string, flags: SimulateFlags): SimulateOptions {
  return {
    output,
    cells: parseWholeNumber(flags.cells, '--cells', 1),
    genes: parseWholeNumber(flags.genes, '--genes', 1),
    perturbations: parseWholeNumber(flags.perturbations, '--perturbations', 1),
    controlFraction: parseNumber(flags.controlFraction, '--control-fraction'),
    depth: parseNumber(flags.depth, '--depth'),
    batches: parseWholeNumber(flags.batches, '--batches', 1),
    seed: parseWholeNumber(flags.seed, '--seed'),
  };
}

/** Keeps a slip of the keyboard from replacing somebody's data: only simulations give way to a simulation. */
async function requireReplaceable(path: string): Promise<void> {
  if (!(await objectExists(path))) return;
  const names = await readH5adMetadata(path, { varNames: false }).then(
    ({ obsColumns, varColumns }) => [...obsColumns, ...varColumns].map(({ name }) => name),
    (): string[] => [],
  );
  if (['true_size_factor', 'true_mean', 'true_dispersion'].every((name) => names.includes(name))) return;
  throw new InvalidInputError(`${path} is there and is no simulation`, {
    hint: 'choose another name, or add --force to replace it',
  });
}

async function runSimulate(output: string, flags: SimulateFlags, context: CliContext): Promise<void> {
  const options = parseSimulateOptions(absolutePath(context.folder, output), flags);
  if (flags.force !== true) await requireReplaceable(options.output);
  const startedMs = context.nowMs();
  const hasBar = context.stderr.isTerminal && flags.quiet !== true;
  const onProgress = (share: number): void => {
    if (hasBar)
      context.stderr.write(`\r\u001b[2K  simulate  ${drawBar(share, 28)} ${`${Math.floor(100 * share)}%`.padStart(4)}`);
  };
  // Loaded only here: other commands need none of it.
  const { simulate } = await import('../simulate.js');
  const run = (signal: AbortSignal): ReturnType<typeof simulate> =>
    simulate(options, onProgress, signal, { force: true });
  const { nonzeros } = await untilInterrupted(context, 'stopping', run).finally(() => {
    if (hasBar) context.stderr.write('\r\u001b[2K');
  });
  if (flags.quiet === true) return;
  const { cells, genes, perturbations } = options;
  const what = `${formatQuantity(cells, 'cell')} × ${formatQuantity(genes, 'gene')}, ${formatQuantity(perturbations, 'perturbation')}, ${formatCount(nonzeros)} counts`;
  context.stderr.write(`wrote ${output} in ${formatDuration((context.nowMs() - startedMs) / 1000)}: ${what}\n`);
}
