import type { Command } from 'commander';
import type { CliContext } from '../cli-context.js';
import { renderInspection } from '../inspect/render-inspection.js';

const NOTES = `
The scale of a matrix (counts, log1p, other) is judged from up to 512 rows; "shardex de" checks every value it reads.

Examples:
  $ shardex inspect screen.h5ad
  $ shardex inspect screen.h5ad --json | jq .design`;

export function addInspectCommand(program: Command, context: CliContext): void {
  program
    .command('inspect')
    .summary('say what an AnnData file holds, and what may be wrong with it')
    .description('Say what an AnnData file holds: storage, scale, columns, the design that would be used, problems.')
    .argument('<FILE>', 'AnnData file (.h5ad), or s3://BUCKET/KEY')
    .option('--json', 'as one JSON object')
    .addHelpText('after', NOTES)
    .action(async (file: string, flags: { readonly json?: boolean }) => {
      const { inspectFile } = await import('../inspect/inspect-file.js');
      const inspection = await inspectFile(file);
      context.stdout.write(
        flags.json === true ? `${JSON.stringify(inspection, null, 2)}\n` : renderInspection(inspection, context.stdout),
      );
    });
}
