import type { TestName } from '@shardex/shared/config';
import { toShardexError } from '@shardex/shared/errors';
import { PASS_VALUES } from '@shardex/shared/stats';
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
import { takeTestThreads, type TestThread } from './test-threads.js';

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
  const { tests } = parameters;
  // The names of the cells are read in a thread of their own meanwhile.
  const cells = fillCells(scope, output.path);
  const beside: Promise<unknown>[] = [cells];
  // Failures are looked at when all of it is waited for.
  cells.catch(() => undefined);
  const open = new Map<TestName, TestFiles>();
  const written: string[] = [];
  let helpers: readonly TestThread[] = [];
  try {
    const frozen = await readFrozen(scope);
    const fits = await readFits(scope);
    helpers = takeTestThreads(scope.context);
    const passValues = Math.floor(PASS_VALUES / (1 + helpers.length));
    const here: OpenTest = (test) => openTestFiles(scope, output.path, test, frozen, fits, passValues);
    const openers = [
      here,
      ...helpers.map((thread): OpenTest => {
        const { share } = scope;
        return (test) => thread.open({ share, folder: output.path, test, passValues });
      }),
    ];
    await fillTests(scope, openers, open, beside);
    await Promise.all(beside);
    scope.checkCancelled();
    await scope.confirmLock();
    // Results of an earlier run are whole only until the first of them is replaced.
    await openStore(parameters.output).removeAll('run.json');
    for (const test of tests) written.push(...((await open.get(test)?.close()) ?? []));
    await (await cells).close();
    written.push(CELLS_FILE);
    await output.publish(written);
    const warnings = fitWarnings(scope.context, fits);
    await writeRunRecord(scope, output, { history, frozen, fits, files: written, warnings });
    return warnings;
  } catch (error) {
    await Promise.allSettled(beside);
    // A thread that has died leaves its files hidden, as a process does.
    await Promise.allSettled([...open.values()].map((files) => files.abort()));
    await cells.then(
      (table) => table.abort(),
      () => undefined,
    );
    throw error;
  } finally {
    for (const thread of helpers) await thread.end();
  }
}

type OpenTest = (test: TestName) => Promise<TestFiles>;

/**
 * Writes the files of all tests, each thread one after the other.
 *
 * @param openers - one for each thread
 * @param open - where the files go once they are open
 * @param beside - where what has to be waited for goes: files are synced while the next are written
 */
async function fillTests(
  scope: ReductionScope,
  openers: readonly OpenTest[],
  open: Map<TestName, TestFiles>,
  beside: Promise<unknown>[],
): Promise<void> {
  const { tests } = scope.context.parameters;
  const fractions = tests.map(() => 0);
  const queue = [...tests.entries()];
  const work = async (openTest: OpenTest): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [i, test] = next;
      const files = await openTest(test);
      open.set(test, files);
      await files.fill((fraction) => {
        fractions[i] = fraction;
        scope.report(fractions.reduce((sum, part) => sum + part, 0) / tests.length);
      });
      const settled = files.settle();
      settled.catch(() => undefined);
      beside.push(settled);
    }
  };
  // All of them end before anything is tidied up.
  const ends = await Promise.allSettled(openers.map(work));
  for (const end of ends) if (end.status === 'rejected') throw toShardexError(end.reason, 'writing results');
}
