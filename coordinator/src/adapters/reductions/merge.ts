import { openStore } from '@shardex/shared/storage';
import type { JobHistory } from '../../domain/index.js';
import { CELLS_FILE, fillCells } from './write-cells.js';
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
  // The names of the cells are read in a thread of their own meanwhile.
  const cells = fillCells(scope, output.path);
  const beside: Promise<unknown>[] = [cells];
  // Failures are looked at when all of it is waited for.
  cells.catch(() => undefined);
  const open: TestFiles[] = [];
  const written: string[] = [];
  try {
    const frozen = await readFrozen(scope);
    const fits = await readFits(scope);
    for (const test of parameters.tests) open.push(await openTestFiles(scope, output.path, test, frozen, fits));
    for (const [i, files] of open.entries()) {
      await files.fill((fraction) => scope.report((i + fraction) / open.length));
      const settled = files.settle();
      settled.catch(() => undefined);
      beside.push(settled);
    }
    await Promise.all(beside);
    scope.checkCancelled();
    await scope.confirmLock();
    // Results of an earlier run are whole only until the first of them is replaced.
    await openStore(parameters.output).removeAll('run.json');
    for (const files of open) written.push(...(await files.close()));
    await (await cells).close();
    written.push(CELLS_FILE);
    await output.publish(written);
    const warnings = fitWarnings(scope.context, fits);
    await writeRunRecord(scope, output, { history, frozen, fits, files: written, warnings });
    return warnings;
  } catch (error) {
    await Promise.allSettled(beside);
    for (const files of open) await files.abort();
    await cells.then(
      (table) => table.abort(),
      () => undefined,
    );
    throw error;
  }
}
