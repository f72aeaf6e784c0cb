import { openByteSource, openStore } from '@shardex/shared/storage';
import { startS3Server, type S3TestServer } from '../support/s3-server.js';
import { describeStorage } from './storage.contract.js';

let server: S3TestServer;
let stores = 0;

describeStorage(
  'the small S3 of this process',
  async () => {
    server = await startS3Server(['contract'], { pageKeys: 2 });
    Object.assign(process.env, server.environment);
    return {
      newStore: () => Promise.resolve(openStore(`s3://contract/deep/store-${++stores}`)),
      openInput: (store, name) => openByteSource(`${store.uri}/${name}`),
      // More than two parts of an upload, and more than four ranges of a read.
      largeBytes: 37_000_001,
    };
  },
  () => server.close(),
);
