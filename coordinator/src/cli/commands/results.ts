import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { parseChoice, parseWholeNumber, TEST_NAMES, type TestName } from '@shardex/shared/config';
import { InvalidInputError } from '@shardex/shared/errors';
import { isS3Uri } from '@shardex/shared/storage';
import type { CliContext } from '../cli-context.js';
import { absolutePath } from '../de-option-flags.js';
import { readAlpha } from '../results/read-alpha.js';
import { csvHeader, csvLine, jsonLine, renderSummary, renderTidyTable } from '../results/render-results.js';
import { presentTests, ResultFile } from '../results/result-file.js';
import { summariseResults, type PerturbationSummary } from '../results/summarise-results.js';
import { tidyName, tidyRows, type TidyRequest, type TidyRow } from '../results/tidy-rows.js';

interface ResultsFlags {
  readonly test?: string;
  readonly perturbation?: string;
  readonly top?: string;
  readonly format: string;
}

const FORMATS = ['table', 'csv', 'json'] as const;
/** Text is handed on in pieces of about this many characters. */
const FLUSH_CHARACTERS = 1 << 16;

const NOTES = `
Without --perturbation and --top, a table sums up each perturbation; csv and json then hold every row.
--top takes the rows of smallest p-value of each test. CSV and JSON have every column, the table the most telling ones.

Examples:
  $ shardex results results
  $ shardex results results --test nb-glm --perturbation STAT1 --top 20
  $ shardex results results --test wilcoxon --format csv > wilcoxon.csv`;

export function addResultsCommand(program: Command, context: CliContext): void {
  program
    .command('results')
    .summary('print results')
    .description('Print the results that "shardex de" wrote.')
    .argument('<DIR>', 'folder, or s3://…, given to "de" as --out')
    .option('--test <TEST>', 'nb-glm, wilcoxon or t-test (default: all that are there)')
    .option('--perturbation <NAME>', 'rows of this perturbation')
    .option('--top <N>', 'the N rows of smallest p-value')
    .option('--format <table|csv|json>', 'how to print', 'table')
    .addHelpText('after', NOTES)
    .action((folder: string, flags: ResultsFlags) =>
      printResults(absolutePath(context.folder, folder), flags, context),
    );
}

async function printResults(folder: string, flags: ResultsFlags, context: CliContext): Promise<void> {
  const format = parseChoice(flags.format, FORMATS, '--format', 'format');
  const test = flags.test === undefined ? null : parseChoice(flags.test, TEST_NAMES, '--test', 'test');
  const top = flags.top === undefined ? null : parseWholeNumber(flags.top, '--top', 1, 1_000_000);
  const request: TidyRequest = { perturbation: flags.perturbation ?? null, top };
  if (!isS3Uri(folder) && !existsSync(folder))
    throw new InvalidInputError(`${folder}: no such folder`, { hint: 'name the folder that "shardex de --out" wrote' });
  const tests = test === null ? await presentTests(folder) : [test];
  if (tests.length === 0) {
    throw new InvalidInputError(`${folder} has no results (nb_glm.h5ad, wilcoxon.h5ad or t_test.h5ad)`, {
      hint: 'name the folder that "shardex de --out" wrote; results in other formats only cannot be shown',
    });
  }
  const files = await openAll(folder, tests);
  try {
    const isSummary = format === 'table' && request.perturbation === null && top === null;
    if (isSummary) await printSummary(files, await readAlpha(folder), context);
    else if (format === 'table') await printTable(files, request, context);
    else await printLines(files, request, format, context);
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

async function openAll(folder: string, tests: readonly TestName[]): Promise<ResultFile[]> {
  const files: ResultFile[] = [];
  try {
    for (const test of tests) files.push(await ResultFile.open(folder, test));
    return files;
  } catch (error) {
    await Promise.all(files.map((file) => file.close()));
    throw error;
  }
}

async function printSummary(files: readonly ResultFile[], alpha: number, context: CliContext): Promise<void> {
  const summaries: PerturbationSummary[] = [];
  for (const file of files) for await (const summary of summariseResults(file, alpha)) summaries.push(summary);
  context.stdout.write(renderSummary(summaries, alpha, context.stdout));
}

async function printTable(files: readonly ResultFile[], request: TidyRequest, context: CliContext): Promise<void> {
  const rows: TidyRow[] = [];
  for (const file of files) for await (const row of tidyRows(file, request)) rows.push(row);
  context.stdout.write(renderTidyTable(rows, context.stdout));
}

/** CSV, or a JSON array with one object a line; written as it is read. */
async function printLines(
  files: readonly ResultFile[],
  request: TidyRequest,
  format: 'csv' | 'json',
  context: CliContext,
): Promise<void> {
  const names = [...new Set(files.flatMap((file) => file.layers.map(tidyName)))];
  let text = format === 'csv' ? csvHeader(names) : '[';
  let separator = '\n';
  for (const file of files) {
    for await (const row of tidyRows(file, request)) {
      text += format === 'csv' ? csvLine(row, names) : `${separator}${jsonLine(row)}`;
      separator = ',\n';
      if (text.length < FLUSH_CHARACTERS) continue;
      await context.stdout.flush(text);
      text = '';
    }
  }
  context.stdout.write(format === 'csv' ? text : `${text}\n]\n`);
}
