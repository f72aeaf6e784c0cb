import type { JobId } from '@shardex/shared/ids';

/** Wakes those who wait for a job to change. */
export class ChangeBell {
  readonly #waiting = new Map<JobId, Set<() => void>>();

  /** Resolves at the job's next change, or when `signal` fires. */
  next(jobId: JobId, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(jobId) ?? new Set();
      this.#waiting.set(jobId, waiting);
      const wake = (): void => {
        waiting.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      waiting.add(wake);
      if (signal?.aborted === true) wake();
      else signal?.addEventListener('abort', wake, { once: true });
    });
  }

  ring(jobId: JobId): void {
    const waiting = this.#waiting.get(jobId);
    this.#waiting.delete(jobId);
    for (const wake of [...(waiting ?? [])]) wake();
  }

  ringAll(): void {
    for (const jobId of [...this.#waiting.keys()]) this.ring(jobId);
  }
}
