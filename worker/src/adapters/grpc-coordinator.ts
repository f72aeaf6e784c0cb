import { WorkerService, type Lease } from '@shardex/proto';
import { toShardexError, type ShardexError } from '@shardex/shared/errors';
import { jobId, taskId, workerId, type WorkerId } from '@shardex/shared/ids';
import {
  connectRpc,
  leaseFromWire,
  reportToWire,
  unaryCall,
  type ChannelSecurity,
  type RpcClient,
} from '@shardex/shared/rpc';
import type { HeldTask, MeasuredReport } from '../domain/index.js';
import type {
  CoordinatorPort,
  HeartbeatAnswer,
  Registration,
  TaskProgress,
  WorkerCapabilities,
} from './coordinator-port.js';

/** Where a coordinator names no interval; also what keeps a faulty one from being called in a loop. */
const LEAST_HEARTBEAT_INTERVAL_MS = 10;
const DEFAULT_HEARTBEAT_INTERVAL_MS = 2_000;
/** What a long poll may take beyond its wait before the answer counts as lost. */
const PULL_MARGIN_MS = 10_000;
/** A worker on its way out does not wait long for a coordinator that is away. */
const LEAVE_DEADLINE_MS = 3_000;

/** The coordinator over gRPC: the one place of the worker that knows the wire. */
export class GrpcCoordinator implements CoordinatorPort {
  readonly address: string;
  readonly #rpc: RpcClient;

  /**
   * @param address - HOST:PORT; the connection is made with the first call
   * @param security - default: none
   */
  constructor(address: string, security?: ChannelSecurity) {
    this.address = address;
    this.#rpc = connectRpc(address, security);
  }

  async register(capabilities: WorkerCapabilities): Promise<Registration> {
    const answer = await unaryCall(this.#rpc, WorkerService.method.registerWorker, {
      capabilities: { ...capabilities, memoryBytes: BigInt(Math.floor(capabilities.memoryBytes)) },
    });
    const intervalMs = answer.heartbeatIntervalMs || DEFAULT_HEARTBEAT_INTERVAL_MS;
    return {
      workerId: workerId(answer.workerId),
      heartbeatIntervalMs: Math.max(LEAST_HEARTBEAT_INTERVAL_MS, intervalMs),
      leaseMs: answer.leaseMs,
    };
  }

  async pull(id: WorkerId, waitMs: number, signal: AbortSignal): Promise<HeldTask | null> {
    const { lease } = await unaryCall(
      this.#rpc,
      WorkerService.method.pullTask,
      { workerId: id, waitMs },
      { signal, deadlineMs: waitMs + PULL_MARGIN_MS },
    );
    return lease === undefined ? null : this.#read(id, lease);
  }

  async heartbeat(id: WorkerId, progress: readonly TaskProgress[], resident: number): Promise<HeartbeatAnswer> {
    const answer = await unaryCall(this.#rpc, WorkerService.method.heartbeat, {
      workerId: id,
      progress: [...progress],
      residentBytes: BigInt(resident),
    });
    return { unknownWorker: answer.unknownWorker, abandon: answer.abandonTaskIds.map(taskId) };
  }

  async complete(id: WorkerId, task: HeldTask, report: MeasuredReport): Promise<boolean> {
    const answer = await unaryCall(this.#rpc, WorkerService.method.completeTask, {
      workerId: id,
      taskId: task.taskId,
      attempt: task.attempt,
      report: reportToWire(report),
    });
    return answer.accepted;
  }

  fail(id: WorkerId, task: HeldTask, error: ShardexError): Promise<boolean> {
    return this.#fail(id, task, error);
  }

  async leave(id: WorkerId, reason: string): Promise<void> {
    await unaryCall(
      this.#rpc,
      WorkerService.method.drainWorker,
      { workerId: id, reason },
      { deadlineMs: LEAVE_DEADLINE_MS },
    );
  }

  close(): void {
    this.#rpc.close();
  }

  /** A lease this version cannot read is failed at once, so that its job says why instead of waiting for it to run out. */
  async #read(id: WorkerId, lease: Lease): Promise<HeldTask | null> {
    try {
      const task = leaseFromWire(lease);
      return { ...task, jobId: jobId(task.jobId), taskId: taskId(task.taskId) };
    } catch (error) {
      await this.#fail(id, lease, toShardexError(error, `reading the lease of task ${lease.taskId}`));
      return null;
    }
  }

  async #fail(id: WorkerId, attempt: { taskId: string; attempt: number }, error: ShardexError): Promise<boolean> {
    const answer = await unaryCall(this.#rpc, WorkerService.method.failTask, {
      workerId: id,
      taskId: attempt.taskId,
      attempt: attempt.attempt,
      tag: error.tag,
      message: error.message,
      hint: error.hint,
      details: Object.fromEntries(Object.entries(error.details).map(([name, value]) => [name, String(value)])),
    });
    return answer.accepted;
  }
}
