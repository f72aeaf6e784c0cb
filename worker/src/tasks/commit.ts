import { SCRATCH_NAMES } from '@shardex/shared/artifacts';
import { ResultLostError } from '@shardex/shared/errors';
import type { ObjectStore } from '@shardex/shared/storage';

/** What a task body hands over: the parts of its output object and what it took to make it. */
export interface TaskOutput {
  readonly parts: readonly Uint8Array[];
  readonly bytesRead: number;
  readonly nonzeros: number;
  readonly fits: number;
  readonly warnings: readonly string[];
}

/**
 * Leaves a task's output on scratch, unless there is none any more: a worker that slept until its job was over must not
 * bring a scratch back that nobody would remove.
 *
 * @throws ResultLostError, naming the job's context
 */
export async function commitOutput(store: ObjectStore, name: string, parts: readonly Uint8Array[]): Promise<void> {
  if (!(await hasContext(store))) throw contextGone(store);
  try {
    // What a loss of power leaves of it fails its checksums, and the task is run again: not worth waiting for the disk.
    await store.commit(name, parts, { isDurable: false, makesStore: false });
  } catch (error) {
    throw (await hasContext(store)) ? error : contextGone(store);
  }
  // Scratch may have been removed between the first look and the writing.
  if (await hasContext(store)) return;
  await store.removeAll(name);
  throw contextGone(store);
}

const hasContext = (store: ObjectStore): Promise<boolean> => store.exists(SCRATCH_NAMES.context);

const contextGone = (store: ObjectStore): ResultLostError =>
  new ResultLostError(`${SCRATCH_NAMES.context} in ${store.uri} is gone`, {
    details: { output: SCRATCH_NAMES.context },
  });
