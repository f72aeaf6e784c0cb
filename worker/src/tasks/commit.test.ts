import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SCRATCH_NAMES } from '@shardex/shared/artifacts';
import { openStore, type ObjectStore } from '@shardex/shared/storage';
import { commitOutput } from './commit.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const PARTS = [new Uint8Array([1, 2]), new Uint8Array([3])];

it('leaves an output beside the context of its job', async () => {
  const store = openStore(join(folder, 'scratch'));
  await store.commit(SCRATCH_NAMES.context, []);
  await commitOutput(store, 'scan/0.bundle', PARTS);
  expect(await store.readAll('scan/0.bundle')).toEqual(new Uint8Array([1, 2, 3]));
});

it('does not bring back a scratch that was removed', async () => {
  const scratch = join(folder, 'scratch');
  const late = commitOutput(openStore(scratch), 'scan/0.bundle', PARTS);
  await expect(late).rejects.toMatchObject({ tag: 'ResultLost', details: { output: SCRATCH_NAMES.context } });
  expect(existsSync(scratch)).toBe(false);
});

it('leaves nothing where the scratch is removed while it writes', async () => {
  const scratch = join(folder, 'scratch');
  const store = openStore(scratch);
  await store.commit(SCRATCH_NAMES.context, []);
  // Removed between the first look and the writing, or right after the writing.
  for (const moment of ['before', 'after']) {
    await store.commit(SCRATCH_NAMES.context, []);
    const racing = Object.assign(Object.create(store) as ObjectStore, {
      commit: async (...call: Parameters<ObjectStore['commit']>) => {
        if (moment === 'before') await store.removeAll('');
        await store.commit(...call);
        await store.removeAll(SCRATCH_NAMES.context);
      },
    });
    await expect(commitOutput(racing, 'scan/0.bundle', PARTS)).rejects.toMatchObject({ tag: 'ResultLost' });
    expect(await store.list('')).toEqual([]);
    if (moment === 'before') expect(existsSync(scratch)).toBe(false);
  }
});
