import { WorkerLostError } from '@shardex/shared/errors';
import type { WorkerId } from '@shardex/shared/ids';
import type { MachineEvent, PullId } from '../domain/index.js';
import type { Clock } from './clock.js';
import type { TracedGrant } from './job-traces.js';

interface Waiting {
  readonly workerId: WorkerId;
  readonly signal: AbortSignal;
  readonly leave: () => void;
  readonly resolve: (grant: TracedGrant | null) => void;
  readonly reject: (error: WorkerLostError) => void;
}

type PullEvent =
  | Omit<Extract<MachineEvent, { kind: 'pullRequested' }>, 'atMs'>
  | Omit<Extract<MachineEvent, { kind: 'pullEnded' }>, 'atMs'>
  | Omit<Extract<MachineEvent, { kind: 'grantUndelivered' }>, 'atMs'>;

/** Where workers wait for a task: turns long polls into events, and grants into answers. */
export class PullDesk {
  readonly #clock: Clock;
  readonly #apply: (event: PullEvent) => void;
  readonly #waiting = new Map<PullId, Waiting>();
  #lastPull: PullId = 0;

  constructor(clock: Clock, apply: (event: PullEvent) => void) {
    this.#clock = clock;
    this.#apply = apply;
  }

  /** @returns null when `waitMs` is over, `signal` fires or the desk closes */
  wait(workerId: WorkerId, waitMs: number, signal: AbortSignal): Promise<TracedGrant | null> {
    return new Promise((resolve, reject) => {
      const pullId = (this.#lastPull += 1);
      const giveUp = (): void => {
        if (!this.#take(pullId)) return;
        resolve(null);
        this.#apply({ kind: 'pullEnded', pullId });
      };
      const stopTimer = this.#clock.after(waitMs, giveUp);
      signal.addEventListener('abort', giveUp, { once: true });
      const leave = (): void => {
        stopTimer();
        signal.removeEventListener('abort', giveUp);
      };
      this.#waiting.set(pullId, { workerId, signal, leave, resolve, reject });
      this.#apply({ kind: 'pullRequested', workerId, pullId });
      if (signal.aborted) giveUp();
    });
  }

  grant(pullId: PullId, grant: TracedGrant): void {
    const waiting = this.#take(pullId);
    if (waiting === null || waiting.signal.aborted) {
      const { workerId, taskId, attempt } = grant;
      this.#apply({ kind: 'grantUndelivered', workerId, taskId, attempt });
    }
    waiting?.resolve(waiting.signal.aborted ? null : grant);
  }

  refuse(pullId: PullId): void {
    const waiting = this.#take(pullId);
    waiting?.reject(
      new WorkerLostError(`worker ${waiting.workerId} is not registered here`, { hint: 'register again' }),
    );
  }

  /** Sends everyone home without a task. */
  close(): void {
    for (const pullId of [...this.#waiting.keys()]) this.#take(pullId)?.resolve(null);
  }

  #take(pullId: PullId): Waiting | null {
    const waiting = this.#waiting.get(pullId);
    if (waiting === undefined) return null;
    this.#waiting.delete(pullId);
    waiting.leave();
    return waiting;
  }
}
