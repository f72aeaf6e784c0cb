import type { ShardexError } from '@shardex/shared/errors';
import type { TaskId, WorkerId } from '@shardex/shared/ids';
import type { HeldTask, MeasuredReport } from '../domain/index.js';

export interface WorkerCapabilities {
  readonly version: string;
  readonly host: string;
  readonly pid: number;
  readonly threads: number;
  readonly memoryBytes: number;
}

export interface Registration {
  readonly workerId: WorkerId;
  readonly heartbeatIntervalMs: number;
  readonly leaseMs: number;
}

export interface TaskProgress {
  readonly taskId: TaskId;
  readonly attempt: number;
  /** 0 to 1. */
  readonly fraction: number;
}

export interface HeartbeatAnswer {
  readonly unknownWorker: boolean;
  readonly abandon: readonly TaskId[];
}

/** The coordinator as a worker sees it. Every method rejects with a `ShardexError`. */
export interface CoordinatorPort {
  readonly address: string;
  register(capabilities: WorkerCapabilities): Promise<Registration>;
  /** Waits at the coordinator for up to `waitMs`; null when there was no task in time. */
  pull(workerId: WorkerId, waitMs: number, signal: AbortSignal): Promise<HeldTask | null>;
  heartbeat(workerId: WorkerId, progress: readonly TaskProgress[], residentBytes: number): Promise<HeartbeatAnswer>;
  /** False when the attempt was stale. */
  complete(workerId: WorkerId, task: HeldTask, report: MeasuredReport): Promise<boolean>;
  /** False when the attempt was stale. */
  fail(workerId: WorkerId, task: HeldTask, error: ShardexError): Promise<boolean>;
  leave(workerId: WorkerId, reason: string): Promise<void>;
  close(): void;
}

/**
 * Whether the coordinator itself said no, as opposed to not being reachable or too busy: the same call again will be
 * refused again.
 */
export function isRefusal(error: ShardexError): boolean {
  switch (error.tag) {
    case 'StorageUnavailable':
    case 'DeadlineExceeded':
    case 'ResourceExhausted':
    case 'Cancelled':
      return false;
    default:
      return true;
  }
}

/** Refusals of a registration that no later try can turn: another version of the protocol, or values it will not take. */
export const isFinalRefusal = ({ tag }: ShardexError): boolean => tag === 'UnsupportedData' || tag === 'InvalidInput';
