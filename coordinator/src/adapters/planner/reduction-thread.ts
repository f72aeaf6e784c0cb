import { parentPort } from 'node:worker_threads';
import { toShardexError } from '@shardex/shared/errors';
import { h5wasmSettled, prepareH5adWriting } from '@shardex/shared/h5ad';
import { reduceGeneMeans } from '../reductions/gene-means.js';
import { reduceShrinkPrior } from '../reductions/shrink-prior.js';
import { reduceSizeFactors } from '../reductions/size-factors.js';
import { reduceTrend } from '../reductions/trend.js';
import { reduceMerge } from '../reductions/merge.js';
import { ResultsAhead } from '../reductions/results-ahead.js';
import { openScope } from '../reductions/scratch.js';
import { confirmLock } from '../lock/index.js';
import { favourMemory } from './favour-memory.js';
import type { ReductionMessage, ReductionOrder, ReductionRequest } from './reduction-messages.js';

/** Body of a thread that runs one reduction after the other, so that the coordinator keeps answering its workers meanwhile. */
const post = (message: ReductionMessage): void => parentPort?.postMessage(message);

/** The results that were begun for the job whose merge is to come. */
let ahead: ResultsAhead | null = null;

async function run(order: ReductionOrder): Promise<readonly string[]> {
  const cancelled = new Int32Array(order.cancelFlag);
  const isCancelled = (): boolean => Atomics.load(cancelled, 0) === 1;
  const scope = await openScope(
    order.scratchUri,
    order.outputs,
    (fraction) => post({ kind: 'progress', fraction }),
    isCancelled,
    () => confirmLock(order.lock),
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
      return reduceMerge(scope, order.history, (await takeAhead()?.take(isCancelled)) ?? null);
  }
}

async function answer(order: ReductionOrder): Promise<ReductionMessage> {
  try {
    return { kind: 'done', warnings: await run(order) };
  } catch (error) {
    await takeAhead()?.drop();
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

function takeAhead(): ResultsAhead | null {
  const taken = ahead;
  ahead = null;
  return taken;
}

function beginAhead({ scratchUri, outputs }: Pick<ReductionOrder, 'scratchUri' | 'outputs'>): ResultsAhead {
  const nothing = (): void => undefined;
  const confirmed = (): Promise<void> => Promise.resolve();
  return new ResultsAhead(
    (isCancelled) => openScope(scratchUri, outputs, nothing, isCancelled, confirmed),
    (trouble) => post({ kind: 'results-given-up', reason: toShardexError(trouble, 'writing results ahead').message }),
  );
}

async function handle(request: ReductionRequest): Promise<void> {
  switch (request.kind) {
    case 'reduce': {
      const message = await answer(request.order);
      post(message);
      // Workers have the floor now; the library that writes results is loaded by the time they are done.
      const isFollowed = message.kind === 'done' && request.order.stage === 'size-factors';
      if (isFollowed) prepareH5adWriting().catch(() => undefined);
      return;
    }
    case 'begin-results':
      ahead = beginAhead(request.order);
      return;
    case 'add-results':
      ahead?.add(request.fitOutput);
      return;
    case 'drop-results':
      await takeAhead()?.drop();
      return post({ kind: 'results-dropped' });
    case 'end':
      await h5wasmSettled();
      return process.exit();
  }
}

parentPort?.on('message', (request: ReductionRequest) => void handle(request));
