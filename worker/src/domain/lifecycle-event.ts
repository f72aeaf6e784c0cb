import type { ShardexError } from '@shardex/shared/errors';
import type { TaskId, WorkerId } from '@shardex/shared/ids';
import type { HeldTask, LeaseKey, TaskOutcome } from './held-task.js';
import type { WorkerExit } from './lifecycle-state.js';

/** Everything that can happen to a worker. Answers name the call they belong to, so that late ones can be told apart. */
export type WorkerEvent =
  | { readonly kind: 'start' }
  | { readonly kind: 'registered'; readonly workerId: WorkerId }
  /** `final`: the coordinator answered and will not have this worker. */
  | { readonly kind: 'register_failed'; readonly error: ShardexError; readonly final: boolean }
  | {
      readonly kind: 'heartbeat_answered';
      /** As whom the heartbeat was sent. */
      readonly workerId: WorkerId;
      readonly unknownWorker: boolean;
      /** The leases that the heartbeat named: no other attempt can be meant by `abandon`. */
      readonly named: readonly LeaseKey[];
      readonly abandon: readonly TaskId[];
    }
  | { readonly kind: 'heartbeat_failed'; readonly workerId: WorkerId }
  /** `task`: null when there was none in time. */
  | { readonly kind: 'pull_answered'; readonly pull: number; readonly task: HeldTask | null }
  | { readonly kind: 'pull_failed'; readonly pull: number }
  | { readonly kind: 'task_ended'; readonly key: LeaseKey; readonly outcome: TaskOutcome }
  /** The coordinator heard the report, whether it wanted it or not. */
  | { readonly kind: 'report_answered'; readonly key: LeaseKey }
  /** `refusedAs`: the id under which the coordinator answered with an error; null when nobody answered. */
  | { readonly kind: 'report_failed'; readonly key: LeaseKey; readonly refusedAs: WorkerId | null }
  | { readonly kind: 'drain_requested'; readonly reason: string }
  | { readonly kind: 'grace_elapsed' }
  /** The last call ended, either way. */
  | { readonly kind: 'left' }
  | { readonly kind: 'stop_requested'; readonly exit: WorkerExit };
