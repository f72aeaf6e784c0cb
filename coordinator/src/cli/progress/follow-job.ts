import { StorageUnavailableError } from '@shardex/shared/errors';
import type { Job } from '@shardex/proto';
import type { CoordinatorClient } from '../coordinator-client.js';
import { hasEnded } from './job-view.js';
import type { ProgressRenderer } from './progress-renderer.js';

/**
 * Times the stream may break in a row before the follower gives up, at least a second each. Kubernetes took ten seconds and more to
 * replace the coordinator's pod (test/production/kubernetes.test.ts); on another node its volume has to follow.
 */
const MOST_RECONNECTS = 60;
const RECONNECT_DELAY_MS = 1_000;

export interface Following {
  /** Fires when the user has had enough. */
  readonly signal: AbortSignal;
  /** `cancel`: the job is cancelled and followed to its end; `leave`: the job goes on without us. */
  readonly onInterrupt: 'cancel' | 'leave';
  readonly wait?: (delayMs: number) => Promise<void>;
}

const sleep = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs));

/**
 * Follows a job of a running coordinator until it has ended, or, with `leave`, until the signal fires. A broken stream is
 * taken up again: the job does not depend on who watches.
 *
 * @returns the job as it was last seen
 * @throws what the coordinator says, as that there is no such job; StorageUnavailableError when it stays away
 */
export async function followJob(
  client: CoordinatorClient,
  jobId: string,
  renderer: ProgressRenderer,
  following: Following,
): Promise<Job> {
  const { signal, onInterrupt, wait = sleep } = following;
  // Cancelling is an answer to the signal, not an end of the watch: the stream has to show how the job ends.
  const watchSignal = onInterrupt === 'leave' ? signal : new AbortController().signal;
  let cancelling: Promise<unknown> = Promise.resolve();
  const onAbort = (): void => {
    if (onInterrupt === 'cancel')
      cancelling = client.cancel(jobId, 'interrupted at the command line').catch(() => undefined);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  let latest: Job | null = null;
  try {
    for (let failures = 0; ;) {
      try {
        for await (const update of client.watch(jobId, watchSignal)) {
          failures = 0;
          latest = update.job;
          renderer.update(update);
          if (hasEnded(latest)) return latest;
        }
        // The stream may end early when the coordinator shuts down; it tells the state when it is back.
        if (++failures > MOST_RECONNECTS) return latest ?? (await client.get(jobId));
      } catch (error) {
        if (onInterrupt === 'leave' && signal.aborted) return latest ?? (await client.get(jobId));
        if (!(error instanceof StorageUnavailableError) || latest === null || ++failures > MOST_RECONNECTS) throw error;
      }
      await wait(RECONNECT_DELAY_MS);
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    await cancelling;
    renderer.end();
  }
}
