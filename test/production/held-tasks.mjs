// The tasks as they are, but for `fit` tasks of groups from SHARDEX_TEST_HOLD_FROM on: they begin when there is a file
// SHARDEX_TEST_RELEASE.
import { existsSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { runTask as run } from '@shardex/worker/tasks';

const from = Number(process.env['SHARDEX_TEST_HOLD_FROM']);
const release = process.env['SHARDEX_TEST_RELEASE'] ?? '';

async function released() {
  await new Promise((resolve) => {
    const watcher = watch(dirname(release), (_, name) => name === basename(release) && done());
    const done = () => {
      watcher.close();
      resolve();
    };
    // Asked for after the watch has begun, so that what comes in between is not missed.
    if (existsSync(release)) done();
  });
}

export const runTask = async (assignment, runtime) => {
  const { spec } = assignment;
  if (spec.kind === 'fit' && spec.groupBegin >= from && !existsSync(release)) await released();
  return run(assignment, runtime);
};
