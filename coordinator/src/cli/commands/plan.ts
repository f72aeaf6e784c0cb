import type { Command } from 'commander';
import { parseDeOptions, parseRunOptions, thisMachine, type DeFlags, type RunFlags } from '@shardex/shared/config';
import type { CliContext } from '../cli-context.js';
import { addClusterOptions, addDeOptions, withAbsolutePaths } from '../de-option-flags.js';
import { localCluster } from '../local-cluster.js';
import { renderPlan } from '../render/plan.js';

/** Stands for `--out` where none was named: a plan needs no folder. */
const NO_OUTPUT = 'OUT';

const NOTES = `
Takes the options of "shardex de" and starts nothing.

Example:
  $ shardex plan screen.h5ad --out results --workers 32 --memory 4GiB`;

export function addPlanCommand(program: Command, context: CliContext): void {
  const command = program
    .command('plan')
    .summary('say what "de" would do, need and overwrite')
    .description('Say what "de" with the same options would do, need and overwrite; nothing is started.')
    .argument('<FILE>', 'AnnData file (.h5ad), or s3://BUCKET/KEY');
  addDeOptions(command);
  addClusterOptions(command);
  command
    .option('--json', 'as one JSON object')
    .addHelpText('after', NOTES)
    .action(async (file: string, flags: DeFlags & RunFlags & { readonly json?: boolean }) => {
      const run = parseRunOptions(flags);
      const parameters = withAbsolutePaths(
        parseDeOptions(file, { ...flags, out: flags.out ?? NO_OUTPUT }),
        context.folder,
      );
      const plan = await context.services.planJob(parameters, localCluster(run, thisMachine(context.environment)));
      context.stdout.write(
        flags.json === true
          ? `${JSON.stringify(plan, null, 2)}\n`
          : renderPlan(plan, context.stdout, flags.out !== undefined),
      );
    });
}
