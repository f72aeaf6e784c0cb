import { openStore } from '@shardex/shared/storage';
import type { JobHistory } from '../../domain/index.js';
import { writeCells } from './write-cells.js';
import { readFits } from './fit-outputs.js';
import { fitWarnings } from './fit-warnings.js';
import { readFrozen } from './frozen-summary.js';
import { openOutputFolder, type OutputFolder } from './output-folder.js';
import { writeRunRecord } from './write-run-record.js';
import { openTestFiles, type TestFiles } from './write-test.js';
import type { ReductionScope } from './scratch.js';

/**
 * The `merge` stage: Benjamini–Hochberg over the whole screen, and the result files.
 *
 * Every file is written under a temporary name; only when all are complete are they renamed, `run.json` last, so that a
 * folder with a `run.json` is whole. For an output on S3 they are written to a local folder and then uploaded.
 *
 * @returns warnings
 */
export async function reduceMerge(scope: ReductionScope, history: JobHistory): Promise<readonly string[]> {
  const output = await openOutputFolder(scope);
  try {
    return await writeResults(scope, output, history);
  } finally {
    await output.close();
  }
}

async function writeResults(
  scope: ReductionScope,
  output: OutputFolder,
  history: JobHistory,
): Promise<readonly string[]> {
  const { parameters } = scope.context;
  const frozen = await readFrozen(scope);
  const fits = await readFits(scope);
  const open: TestFiles[] = [];
  const written: string[] = [];
  try {
    for (const test of parameters.tests) open.push(await openTestFiles(scope, output.path, test, frozen, fits));
    for (const [i, files] of open.entries()) {
      await files.fill((fraction) => scope.report((i + fraction) / open.length));
    }
    scope.checkCancelled();
    await scope.confirmLock();
    // Results of an earlier run are whole only until the first of them is replaced.
    await openStore(parameters.output).removeAll('run.json');
    for (const files of open) written.push(...(await files.close()));
  } catch (error) {
    for (const files of open) await files.abort();
    throw error;
  }
  written.push(await writeCells(scope, output.path));
  await output.publish(written);
  const warnings = fitWarnings(scope.context, fits);
  await writeRunRecord(scope, output, { history, frozen, fits, files: written, warnings });
  return warnings;
}
