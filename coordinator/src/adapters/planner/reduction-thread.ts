import { parentPort } from 'node:worker_threads';
import { prepareH5adWriting } from '@shardex/shared/h5ad';
import { reduceGeneMeans } from '../reductions/gene-means.js';
import { reduceShrinkPrior } from '../reductions/shrink-prior.js';
import { reduceSizeFactors } from '../reductions/size-factors.js';
import { reduceTrend } from '../reductions/trend.js';
import { reduceMerge } from '../reductions/merge.js';
import { openScope } from '../reductions/scratch.js';
import { prepareTestThreads } from '../reductions/test-threads.js';
import { toFailureMessage } from '../reductions/thread-failure.js';
import { confirmLock } from '../lock/index.js';
import type { ReductionMessage, ReductionOrder } from './run-reduction.js';

/** Body of a thread that runs one reduction after the other, so that the coordinator keeps answering its workers meanwhile. */
const post = (message: ReductionMessage): void => parentPort?.postMessage(message);

async function run(order: ReductionOrder): Promise<readonly string[]> {
  const { scratchUri, outputs, cancelFlag, lock } = order;
  const scope = await openScope(
    { scratchUri, outputs, cancelFlag },
    {
      report: (fraction) => post({ kind: 'progress', fraction }),
      confirmLock: async () => (lock === null ? undefined : confirmLock(lock)),
    },
  );
  switch (order.stage) {
    case 'gene-means':
      return reduceGeneMeans(scope);
    case 'size-factors':
      return reduceSizeFactors(scope).finally(() => {
        // Workers have the floor after this; what writes the results is ready by the time they are done.
        setImmediate(() => {
          prepareTestThreads(scope.context);
          prepareH5adWriting().catch(() => undefined);
        });
      });
    case 'trend':
      return reduceTrend(scope);
    case 'shrink-prior':
      return reduceShrinkPrior(scope);
    case 'merge':
      return reduceMerge(scope, order.history);
  }
}

async function answer(order: ReductionOrder): Promise<ReductionMessage> {
  try {
    return { kind: 'done', warnings: await run(order) };
  } catch (error) {
    return toFailureMessage(error, `running the ${order.stage} stage`);
  }
}

parentPort?.on('message', (order: ReductionOrder) => void answer(order).then(post));
post({ kind: 'ready' });
