import type { WorkerId } from '@shardex/shared/ids';
import type { HeldTask, LeaseKey, TaskOutcome } from './held-task.js';
import type { WorkerExit } from './lifecycle-state.js';

/** When to do something: after the pause that so many failures in a row call for (0: at once), or at the usual interval. */
export type Pause = { readonly failures: number } | 'interval';

/** What the outside has to do; each of them ends in an event, where there is anything to tell. */
export type WorkerEffect =
  | { readonly kind: 'register'; readonly pause: Pause }
  /** Replaces the heartbeat that is planned; one that is under way answers for this one too. */
  | { readonly kind: 'heartbeat'; readonly workerId: WorkerId; readonly pause: Pause }
  | { readonly kind: 'pull'; readonly workerId: WorkerId; readonly pull: number }
  | { readonly kind: 'cancel_pulls' }
  | { readonly kind: 'run'; readonly task: HeldTask }
  | { readonly kind: 'abandon'; readonly key: LeaseKey }
  | { readonly kind: 'report'; readonly workerId: WorkerId; readonly task: HeldTask; readonly outcome: TaskOutcome }
  /** The worker's last call, tried once. */
  | { readonly kind: 'leave'; readonly workerId: WorkerId; readonly reason: string }
  /** End every thread, timer and call. */
  | { readonly kind: 'stop'; readonly exit: WorkerExit }
  /** Nothing to do, and why: for the log. `lost` says that a result was thrown away. */
  | { readonly kind: 'ignore'; readonly why: string; readonly lost: boolean };
