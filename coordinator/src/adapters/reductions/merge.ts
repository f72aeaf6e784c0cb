import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RESULT_FILES } from '../planner/job-folder.js';
import type { JobHistory } from '../../domain/index.js';
import { writeCells } from './write-cells.js';
import { readFits } from './fit-outputs.js';
import { readFrozen } from './frozen-summary.js';
import { writeRunRecord } from './write-run-record.js';
import { openTestFiles, type TestFiles } from './write-test.js';
import type { ReductionScope } from './scratch.js';

/**
 * The `merge` stage: Benjamini–Hochberg over the whole screen, and the result files.
 *
 * Every file is written under a temporary name; only when all are complete are they renamed, `run.json` last, so that a
 * folder with a `run.json` is whole.
 *
 * @returns warnings
 */
export async function reduceMerge(scope: ReductionScope, history: JobHistory): Promise<readonly string[]> {
  const { parameters } = scope.context;
  const frozen = await readFrozen(scope);
  const fits = await readFits(scope);
  const open: TestFiles[] = [];
  const written: string[] = [];
  try {
    for (const test of parameters.tests) open.push(await openTestFiles(scope, test, frozen, fits));
    for (const [i, files] of open.entries()) {
      await files.fill((fraction) => scope.report((i + fraction) / open.length));
    }
    for (const files of open) written.push(...(await files.close()));
  } catch (error) {
    for (const files of open) await files.abort();
    throw error;
  }
  written.push(await writeCells(scope));
  const stale = RESULT_FILES.filter((name) => name !== 'run.json' && !written.includes(name));
  for (const name of stale) await rm(join(parameters.output, name), { force: true });
  const warnings = frozen.notConverged(fits);
  await writeRunRecord(scope, { history, frozen, fits, files: written, warnings });
  return warnings;
}
