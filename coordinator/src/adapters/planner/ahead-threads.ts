import type { Worker } from 'node:worker_threads';
import type { JobId } from '@shardex/shared/ids';
import type { Logger } from '@shardex/shared/telemetry';
import type { ReductionMessage, ReductionOrder, ReductionRequest } from './reduction-messages.js';
import type { ThreadPool } from './thread-pool.js';

/** So many jobs have their results written ahead at a time; those of others wait for their merge, as all would without this. */
const JOBS_AT_ONCE = 2;
/** A thread that does not look up when its results are not wanted gets this long; what it leaves half-written is hidden. */
const DROP_GRACE_MS = 10_000;

/**
 * Threads that write results while fits run: one a job, from when its fits are planned until its merge, which takes the thread
 * over. They are no reductions that others would have to wait for; nothing here waits, and nothing depends on it.
 */
export class AheadThreads {
  /** `forget`: stops listening to the thread. */
  private readonly threads = new Map<JobId, { readonly thread: Worker; readonly forget: () => void }>();

  constructor(
    private readonly pool: ThreadPool,
    private readonly logger: Logger | null,
  ) {}

  /** Begins a job's results unless it has some, or other jobs have all the threads there are for this. */
  begin(jobId: JobId, { scratchUri, outputs }: Pick<ReductionOrder, 'scratchUri' | 'outputs'>): void {
    if (this.threads.has(jobId) || this.threads.size >= JOBS_AT_ONCE) return;
    const thread = this.pool.take();
    const ended = (): void => void this.threads.delete(jobId);
    const listen = (message: ReductionMessage): void => {
      if (message.kind !== 'results-given-up') return;
      this.logger?.warn('results are written after the fits, not while they run', {
        job: jobId,
        reason: message.reason,
      });
    };
    thread.once('exit', ended).on('message', listen);
    this.threads.set(jobId, { thread, forget: () => void thread.off('exit', ended).off('message', listen) });
    ask(thread, { kind: 'begin-results', order: { scratchUri, outputs } });
  }

  /** Has the rows of a fit output written. */
  add(jobId: JobId, fitOutput: string): void {
    const begun = this.threads.get(jobId);
    if (begun !== undefined) ask(begun.thread, { kind: 'add-results', fitOutput });
  }

  /** Hands over the thread of a job's results, if there is one: whoever runs the merge in it has to end it. */
  take(jobId: JobId): Worker | null {
    const begun = this.threads.get(jobId);
    if (begun === undefined) return null;
    this.threads.delete(jobId);
    begun.forget();
    return begun.thread;
  }

  /** Removes what was written of a job's results; does nothing when its merge has taken them. */
  async drop(jobId: JobId): Promise<void> {
    const thread = this.take(jobId);
    if (thread === null) return;
    let grace: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      thread.on('message', ({ kind }: ReductionMessage) => {
        if (kind === 'results-dropped') resolve();
      });
      thread.once('exit', () => resolve());
      grace = setTimeout(resolve, DROP_GRACE_MS);
      ask(thread, { kind: 'drop-results' });
    });
    clearTimeout(grace);
    await this.pool.end(thread);
  }

  /** Drops all. */
  async close(): Promise<void> {
    await Promise.all([...this.threads.keys()].map((jobId) => this.drop(jobId)));
  }
}

const ask = (thread: Worker, request: ReductionRequest): void => thread.postMessage(request);
