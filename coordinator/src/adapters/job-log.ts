import type { JobId } from '@shardex/shared/ids';
import type { LogEntry } from '../domain/index.js';

/** Lines kept of one job; of a longer story the beginning is let go. */
const MAX_ENTRIES_PER_JOB = 20_000;

/** The stories of the jobs, one line per event, with numbers that let a watcher ask for what is new. */
export class JobLog {
  readonly #entries = new Map<JobId, { first: number; entries: LogEntry[] }>();

  add(entry: LogEntry): void {
    if (entry.jobId === undefined) return;
    const story = this.#entries.get(entry.jobId) ?? { first: 0, entries: [] };
    this.#entries.set(entry.jobId, story);
    story.entries.push(entry);
    // Cut in large steps, so that the cost of moving the rest is paid rarely.
    if (story.entries.length > MAX_ENTRIES_PER_JOB * 1.25) {
      const surplus = story.entries.length - MAX_ENTRIES_PER_JOB;
      story.entries.splice(0, surplus);
      story.first += surplus;
    }
  }

  /** @returns the entries from number `from` on, and the number of the one that will come next */
  since(jobId: JobId, from: number): { readonly entries: readonly LogEntry[]; readonly next: number } {
    const story = this.#entries.get(jobId);
    if (story === undefined) return { entries: [], next: from };
    return {
      entries: story.entries.slice(Math.max(0, from - story.first)),
      next: story.first + story.entries.length,
    };
  }

  /** Lets go of the stories of jobs that are no longer known. */
  keepOnly(known: (jobId: JobId) => boolean): void {
    for (const jobId of this.#entries.keys()) if (!known(jobId)) this.#entries.delete(jobId);
  }
}
