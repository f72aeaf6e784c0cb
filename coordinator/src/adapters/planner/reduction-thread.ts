import { parentPort } from 'node:worker_threads';
import { toShardexError } from '@shardex/shared/errors';
import { prepareH5adWriting } from '@shardex/shared/h5ad';
import { reduceGeneMeans } from '../reductions/gene-means.js';
import { reduceShrinkPrior } from '../reductions/shrink-prior.js';
import { reduceSizeFactors } from '../reductions/size-factors.js';
import { reduceTrend } from '../reductions/trend.js';
import { reduceMerge } from '../reductions/merge.js';
import { openScope } from '../reductions/scratch.js';
import { confirmLock } from '../lock/index.js';
import { favourMemory } from './favour-memory.js';
import type { ReductionMessage, ReductionOrder } from './run-reduction.js';

/** Body of a thread that runs one reduction after the other, so that the coordinator keeps answering its workers meanwhile. */
const post = (message: ReductionMessage): void => parentPort?.postMessage(message);

async function run(order: ReductionOrder): Promise<readonly string[]> {
  const cancelled = new Int32Array(order.cancelFlag);
  const scope = await openScope(
    order.scratchUri,
    order.outputs,
    (fraction) => post({ kind: 'progress', fraction }),
    () => Atomics.load(cancelled, 0) === 1,
    async () => (order.lock === null ? undefined : confirmLock(order.lock)),
  );
  favourMemory(scope.context);
  switch (order.stage) {
    case 'gene-means':
      return reduceGeneMeans(scope);
    case 'size-factors':
      return reduceSizeFactors(scope);
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
    const failure = toShardexError(error, `running the ${order.stage} stage`);
    return {
      kind: 'failed',
      tag: failure.tag,
      message: failure.message,
      hint: failure.hint,
      details: failure.details,
      stack: failure.cause instanceof Error ? (failure.cause.stack ?? '') : (failure.stack ?? ''),
    };
  }
}

parentPort?.on('message', (order: ReductionOrder) => {
  void answer(order).then((message) => {
    post(message);
    // Workers have the floor now; the library that writes results is loaded by the time they are done.
    if (order.stage === 'size-factors') prepareH5adWriting().catch(() => undefined);
  });
});
post({ kind: 'ready' });
