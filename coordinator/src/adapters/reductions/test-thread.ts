import { parentPort } from 'node:worker_threads';
import { InvariantBrokenError } from '@shardex/shared/errors';
import { prepareH5adWriting } from '@shardex/shared/h5ad';
import { readFits } from './fit-outputs.js';
import { readFrozen } from './frozen-summary.js';
import { openScope } from './scratch.js';
import type { TestOrder, TestStep } from './test-threads.js';
import { toFailureMessage } from './thread-failure.js';
import { openTestFiles, type TestFiles } from './write-test.js';

/** Body of a thread that writes the files of tests: one step after the other, several tests open at the same time. */
const post = (message: unknown): void => parentPort?.postMessage(message);

const open = new Map<string, TestFiles>();

async function openTest({ share, folder, test, passValues }: TestOrder): Promise<void> {
  const scope = await openScope(share);
  open.set(test, await openTestFiles(scope, folder, test, await readFrozen(scope), await readFits(scope), passValues));
}

async function run(step: TestStep): Promise<readonly string[]> {
  if (step.kind === 'open') {
    await openTest(step.order);
    return [];
  }
  const files = open.get(step.test);
  if (files === undefined) throw new InvariantBrokenError(`the files of ${step.test} are not open in this thread`);
  if (step.kind === 'close') return files.close();
  if (step.kind === 'fill') await files.fill((fraction) => post({ kind: 'progress', test: step.test, fraction }));
  else await files[step.kind]();
  return [];
}

parentPort?.on('message', ({ id, step }: { id: number; step: TestStep }) => {
  run(step).then(
    (names) => post({ kind: 'done', id, names }),
    (error: unknown) => post({ ...toFailureMessage(error, 'writing results'), id }),
  );
});
// The library is there by the time it is asked for.
prepareH5adWriting().catch(() => undefined);
