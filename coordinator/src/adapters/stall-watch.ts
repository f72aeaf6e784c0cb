import type { JobId } from '@shardex/shared/ids';
import { viewJob, type Job } from '../domain/index.js';

/** Notices jobs that stand still, whatever the reason: no worker, a task that hangs, storage that does not answer. */
export class StallWatch {
  readonly #last = new Map<JobId, { readonly progress: number; readonly sinceMs: number }>();

  /** Looks at every job that has not ended. To be called more often than stalls are to be told apart. */
  look(jobs: Iterable<Job>, nowMs: number): void {
    const seen = new Set<JobId>();
    for (const job of jobs) {
      if (job.endedMs !== null) continue;
      seen.add(job.jobId);
      const progress = viewJob(job, nowMs).stages.reduce((sum, stage) => sum + stage.progress, 0);
      // Also when it falls: a lost result takes a job back, and it goes on from there.
      if (this.#last.get(job.jobId)?.progress !== progress) this.#last.set(job.jobId, { progress, sinceMs: nowMs });
    }
    for (const jobId of this.#last.keys()) if (!seen.has(jobId)) this.#last.delete(jobId);
  }

  /** Time since the job that has stood still the longest moved, in milliseconds; 0 without jobs. */
  longestStallMs(nowMs: number): number {
    return Math.max(0, ...[...this.#last.values()].map(({ sinceMs }) => nowMs - sinceMs));
  }
}
