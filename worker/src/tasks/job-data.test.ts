import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { encodeBundle, SCRATCH_NAMES } from '@shardex/shared/artifacts';
import { openStore } from '@shardex/shared/storage';
import { JobData } from './job-data.js';

let scratchUri: string;
beforeEach(async () => {
  scratchUri = await mkdtemp(join(tmpdir(), 'shardex-test-'));
  const store = openStore(scratchUri);
  await store.commit(SCRATCH_NAMES.context, encodeBundle({}, {}));
  await store.commit('scan/000000.bundle', encodeBundle({}, {}));
});
afterEach(() => rm(scratchUri, { recursive: true, force: true }));

it('closes also what comes open when it is closed already', async () => {
  const job = await JobData.open(scratchUri);
  const source = await job.store.open('scan/000000.bundle');
  const close = vi.spyOn(source, 'close');
  let comeOpen = (): void => undefined;
  const opened = new Promise<typeof source>((resolve) => {
    comeOpen = () => resolve(source);
  });
  vi.spyOn(job.store, 'open').mockReturnValue(opened);
  const opening = job.open('scan/000000.bundle');
  await job.close();
  expect(close).not.toHaveBeenCalled();
  comeOpen();
  await opening;
  expect(close).toHaveBeenCalled();
});
