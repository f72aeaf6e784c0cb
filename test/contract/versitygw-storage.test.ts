import { openByteSource, openStore } from '@shardex/shared/storage';
import { describeWithPart } from '../support/required-part.js';
import { startVersitygw, versitygwBinary, type RunningVersitygw } from '../support/versitygw.js';
import { describeStorage } from './storage.contract.js';

describeWithPart({
  part: 's3',
  name: 'versitygw',
  probe: versitygwBinary,
  reason: 'SHARDEX_VERSITYGW names no versitygw binary (go install github.com/versity/versitygw/cmd/versitygw@latest)',
  body: (binary) => {
    let gateway: RunningVersitygw;
    let stores = 0;
    describeStorage(
      'a real S3 gateway',
      async () => {
        gateway = await startVersitygw(binary, ['contract']);
        Object.assign(process.env, gateway.environment);
        return {
          newStore: () => Promise.resolve(openStore(`s3://contract/deep/store-${++stores}`)),
          openInput: (store, name) => openByteSource(`${store.uri}/${name}`),
          largeBytes: 37_000_001,
        };
      },
      () => gateway.close(),
    );
  },
});
