import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openByteSource, openStore } from '@shardex/shared/storage';
import { describeStorage } from './storage.contract.js';

let root: string;

describeStorage(
  'a folder',
  async () => {
    root = await mkdtemp(join(tmpdir(), 'shardex-contract-'));
    return {
      newStore: async () => openStore(await mkdtemp(join(root, 'store-'))),
      openInput: (store, name) => openByteSource(join(store.uri, name)),
      largeBytes: 20_000_000,
    };
  },
  () => rm(root, { recursive: true, force: true }),
);
