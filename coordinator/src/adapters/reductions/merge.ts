import { openStore } from '@shardex/shared/storage';
import type { JobHistory } from '../../domain/index.js';
import { readFits } from './fit-outputs.js';
import { fitWarnings } from './fit-warnings.js';
import { ResultFiles } from './result-files.js';
import type { ReductionScope } from './scratch.js';
import { writeRunRecord } from './write-run-record.js';

/**
 * The `merge` stage: Benjamini–Hochberg over the whole screen, and the result files.
 *
 * Every file is written under a temporary name; only when all are complete are they renamed, `run.json` last, so that a
 * folder with a `run.json` is whole. For an output on S3 they are written to a local folder and then uploaded.
 *
 * @param ahead - files that were begun while fits ran; null: none
 * @returns warnings
 */
export async function reduceMerge(
  scope: ReductionScope,
  history: JobHistory,
  ahead: ResultFiles | null,
): Promise<readonly string[]> {
  const results = ahead ?? (await ResultFiles.open(scope));
  try {
    const fits = await readFits(scope);
    await results.fill(scope, fits);
    scope.checkCancelled();
    await scope.confirmLock();
    // Results of an earlier run are whole only until the first of them is replaced.
    await openStore(scope.context.parameters.output).removeAll('run.json');
    const files = await results.close();
    const { output, frozen } = results;
    await output.publish(files);
    const warnings = fitWarnings(scope.context, fits);
    await writeRunRecord(scope, output, { history, frozen, fits, files, warnings });
    return warnings;
  } finally {
    await results.discard();
  }
}
