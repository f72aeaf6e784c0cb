import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import {
  parseChoice,
  parseRunOptions,
  SHRINK_PRIORS,
  type DeParameters,
  type RunFlags,
  type ShrinkPrior,
} from '@shardex/shared/config';
import { InvalidInputError } from '@shardex/shared/errors';
import { shrinkageRecord } from '../../domain/index.js';
import type { CliContext } from '../cli-context.js';
import { addConnectionOptions, type ConnectionFlags } from '../coordinator-option.js';
import { absolutePath, addClusterOptions } from '../de-option-flags.js';
import { untilInterrupted } from '../interrupt.js';
import { createProgressRenderer, type ProgressChoice } from '../progress/progress-renderer.js';
import { ResultFile } from '../results/result-file.js';
import { addShrunken } from '../shrink/add-shrunken.js';
import { readRecordedRun, recordInRun, type RecordedRun } from '../shrink/recorded-run.js';
import { shrinkCounts } from '../shrink/shrink-counts.js';
import { shrinkStatistics } from '../shrink/shrink-statistics.js';
import type { ShrunkenRows } from '../shrink/shrunken-rows.js';
import { executeJob } from './de.js';

interface ShrinkFlags {
  readonly method: string;
  readonly prior: string;
  readonly force?: boolean;
}

const METHODS = ['stats', 'full'] as const;

const NOTES = `
stats: from the fold changes and standard errors of DIR alone (their likelihood taken as normal); seconds.
full:  from the counts: the recorded run is made again over its input, NB-GLM only, and has to give the same results.

Examples:
  $ shardex shrink results
  $ shardex shrink results --method full --prior global --workers 8`;

export function addShrinkCommand(program: Command, context: CliContext): void {
  const command = program
    .command('shrink')
    .summary('add shrunken fold changes to results')
    .description('Add apeGLM fold changes to the NB-GLM results of a finished run; all else in them stays as it is.')
    .argument('<DIR>', 'folder given to "de" as --out')
    .option('--method <stats|full>', 'from the results alone, or from the counts', 'stats')
    .option('--prior <SCOPE>', "scale of apeGLM's prior, per-comparison or global", 'per-comparison')
    .option('--force', 'replace shrunken fold changes that are there');
  addClusterOptions(command);
  command.option('--coordinator <HOST:PORT>', 'full: submit to a running cluster instead of starting one');
  addConnectionOptions(command);
  command
    .option('--quiet', 'no progress')
    .option('--json', 'progress as one JSON object a line, and the outcome on stdout')
    .addHelpText('after', NOTES)
    .action((folder: string, flags: ShrinkFlags & RunFlags & ConnectionFlags & ProgressChoice) =>
      shrinkResults(absolutePath(context.folder, folder), flags, context),
    );
}

async function shrinkResults(
  folder: string,
  flags: ShrinkFlags & RunFlags & ConnectionFlags & ProgressChoice,
  context: CliContext,
): Promise<void> {
  const method = parseChoice(flags.method, METHODS, '--method', 'method');
  const prior = parseChoice(flags.prior, SHRINK_PRIORS, '--prior', 'scope');
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(folder)) {
    throw new InvalidInputError(`${folder} is not a folder of this machine`, {
      hint: 'copy the results here, shrink them, and copy them back',
    });
  }
  if (!existsSync(folder))
    throw new InvalidInputError(`${folder}: no such folder`, { hint: 'name the folder that "shardex de --out" wrote' });
  const run = await readRecordedRun(folder);
  const file = await ResultFile.open(folder, 'nb-glm');
  try {
    if (file.layers.includes('logfoldchange_shrunk') && flags.force !== true) {
      throw new InvalidInputError(`${file.path} has shrunken fold changes already`, {
        hint: 'replace them with --force',
      });
    }
    const add = (rows: ShrunkenRows): Promise<void> => record(folder, file, run, rows, context);
    if (method === 'stats') await add(await shrinkStatistics(file, prior));
    else await shrinkFromCounts(folder, file, run, prior, flags, context, add);
  } finally {
    await file.close();
  }
  if (flags.json === true)
    context.stdout.write(`${JSON.stringify({ state: 'succeeded', output: folder, method, prior })}\n`);
  else if (flags.quiet !== true) context.stderr.write(`done: shrunken fold changes are in ${file.path}\n`);
}

async function record(
  folder: string,
  file: ResultFile,
  run: RecordedRun,
  rows: ShrunkenRows,
  context: CliContext,
): Promise<void> {
  await addShrunken(folder, file, rows);
  const facts = shrinkageRecord(rows.shrinkage, file.perturbations);
  const added = { by: `shardex shrink ${context.version}`, at: new Date(context.nowMs()).toISOString() };
  await recordInRun(folder, run, 'shrinkage', { ...facts, ...added });
}

async function shrinkFromCounts(
  folder: string,
  file: ResultFile,
  run: RecordedRun,
  prior: ShrinkPrior,
  flags: RunFlags & ConnectionFlags & ProgressChoice,
  context: CliContext,
  add: (rows: ShrunkenRows) => Promise<void>,
): Promise<void> {
  const options = { ...parseRunOptions({ ...flags, force: undefined }), connection: flags };
  const runJob = (parameters: DeParameters): Promise<void> => {
    const renderer = createProgressRenderer(context, flags);
    return untilInterrupted(context, 'cancelling the job', (signal) =>
      executeJob(parameters, options, renderer, context, signal),
    );
  };
  await shrinkCounts(folder, file, run, prior, runJob, add);
}
