import type { ShardexError } from '@shardex/shared/errors';
import type { WorkerId } from '@shardex/shared/ids';
import type { Lease, LeaseKey } from './held-task.js';

/** How a worker's life ended. */
export type WorkerExit =
  | { readonly kind: 'drained' }
  /** Told to stop at once; its leases run out at the coordinator. */
  | { readonly kind: 'stopped'; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: ShardexError };

interface Alive {
  /** Tasks that may run at the same time: the number of compute threads. */
  readonly slots: number;
  readonly leases: ReadonlyMap<LeaseKey, Lease>;
  /** Calls that failed since the last sign of health; sets the pause before the next try. */
  readonly failures: number;
  /** Number of the next pull. */
  readonly nextPull: number;
}

/** The coordinator does not know this worker yet, or does not know it any more; leases are kept while it asks. */
export interface InitialisedState extends Alive {
  readonly phase: 'INITIALISED';
}

/**
 * The worker has an id which the coordinator has yet to confirm by answering a heartbeat: since it registered, or since a
 * call failed. Nothing is pulled or reported in between, so a coordinator that is away is asked by one call at a time.
 */
export interface RegisteredState extends Alive {
  readonly phase: 'REGISTERED';
  readonly workerId: WorkerId;
}

/** Every slot that holds no lease has one pull under way. */
export interface RunningState extends Alive {
  readonly phase: 'RUNNING';
  readonly workerId: WorkerId;
  readonly pulls: ReadonlySet<number>;
}

/**
 * No further task is taken; the worker leaves when the last report has been heard or the grace time is over.
 *
 * `link` is the same distinction as the phases before: `unregistered` as INITIALISED, `unconfirmed` as REGISTERED,
 * `confirmed` as RUNNING; `leaving` while the worker's last call is under way.
 */
export interface DrainingState extends Alive {
  readonly phase: 'DRAINING';
  readonly workerId: WorkerId | null;
  readonly link: 'unregistered' | 'unconfirmed' | 'confirmed' | 'leaving';
  readonly reason: string;
}

export interface StoppedState {
  readonly phase: 'STOPPED';
  readonly exit: WorkerExit;
}

export type AliveState = InitialisedState | RegisteredState | RunningState | DrainingState;
export type WorkerState = AliveState | StoppedState;
export type WorkerPhase = WorkerState['phase'];

export const initialState = (slots: number): InitialisedState => ({
  phase: 'INITIALISED',
  slots,
  leases: new Map(),
  failures: 0,
  nextPull: 1,
});
