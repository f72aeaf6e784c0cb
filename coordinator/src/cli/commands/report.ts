import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { parseWholeNumber } from '@shardex/shared/config';
import { InvalidInputError } from '@shardex/shared/errors';
import type { CliContext } from '../cli-context.js';
import { absolutePath } from '../de-option-flags.js';

interface ReportFlags {
  readonly out?: string;
  readonly perturbations: string;
}

const NOTES = `
The file needs no network and no other file: send it as it is. Where a screen has more perturbations or genes than a page
can show, it holds the strongest and says so.

Examples:
  $ shardex report results
  $ shardex report results --out screen.html --perturbations 30`;

export function addReportCommand(program: Command, context: CliContext): void {
  program
    .command('report')
    .summary('write results as one HTML file')
    .description('Write one HTML file with the provenance, quality control, calibration and plots of a run.')
    .argument('<DIR>', 'folder, or s3://…, given to "de" as --out')
    .option('--out <FILE>', 'file to write (default: DIR-report.html in this folder)')
    .option('--perturbations <N>', 'for each test, plots of the N with the most significant genes', '12')
    .addHelpText('after', NOTES)
    .action(async (folder: string, flags: ReportFlags) => {
      const perturbations = parseWholeNumber(flags.perturbations, '--perturbations', 1, 1000);
      const results = absolutePath(context.folder, folder);
      const path = absolutePath(context.folder, flags.out ?? `${basename(results)}-report.html`);
      const html = await context.services.buildReport(results, perturbations);
      try {
        await writeFile(path, html);
      } catch (error) {
        throw new InvalidInputError(`cannot write ${path}: ${(error as Error).message}`, {
          hint: 'name another file with --out',
          cause: error,
        });
      }
      context.stdout.write(`${path}\n`);
    });
}
