import { WorkerService, type Lease } from '@shardex/proto';
import type { TaskId } from '@shardex/shared/ids';
import { reportToWire, unaryCall, type RpcClient } from '@shardex/shared/rpc';
import { PRODUCT_VERSION } from '../adapters/index.js';

/** A worker that does no work: it speaks the protocol, one call at a time, as the test says. */
export class RpcWorker {
  private constructor(
    readonly client: RpcClient,
    readonly workerId: string,
    readonly leaseMs: number,
  ) {}

  static async register(client: RpcClient, memoryBytes = 2 ** 30, version = PRODUCT_VERSION): Promise<RpcWorker> {
    const capabilities = { version, host: 'here', pid: 1, threads: 1, memoryBytes: BigInt(memoryBytes) };
    const answer = await unaryCall(client, WorkerService.method.registerWorker, { capabilities });
    return new RpcWorker(client, answer.workerId, answer.leaseMs);
  }

  /** @returns null when there was no task in time */
  async pull(waitMs = 20_000, signal?: AbortSignal): Promise<Lease | null> {
    const request = { workerId: this.workerId, waitMs };
    const { lease } = await unaryCall(
      this.client,
      WorkerService.method.pullTask,
      request,
      signal === undefined ? {} : { signal },
    );
    return lease ?? null;
  }

  async complete(lease: Lease, warnings: string[] = []): Promise<boolean> {
    const report = reportToWire({
      output: lease.output,
      bytesRead: 10,
      bytesWritten: 5,
      nonzeros: 7,
      fits: 2,
      warnings,
      wallMs: 3,
      peakResidentBytes: 99,
    });
    const { taskId, attempt } = lease;
    const request = { workerId: this.workerId, taskId, attempt, report };
    return (await unaryCall(this.client, WorkerService.method.completeTask, request)).accepted;
  }

  async fail(lease: Lease, tag: string, message: string, details: Record<string, string> = {}): Promise<boolean> {
    const { taskId, attempt } = lease;
    const request = { workerId: this.workerId, taskId, attempt, tag, message, hint: '', details };
    return (await unaryCall(this.client, WorkerService.method.failTask, request)).accepted;
  }

  async heartbeat(...leases: readonly Lease[]): Promise<{ abandon: TaskId[]; unknownWorker: boolean }> {
    const progress = leases.map(({ taskId, attempt }) => ({ taskId, attempt, fraction: 0.5 }));
    const request = { workerId: this.workerId, progress, residentBytes: 1n };
    const answer = await unaryCall(this.client, WorkerService.method.heartbeat, request);
    return { abandon: answer.abandonTaskIds as TaskId[], unknownWorker: answer.unknownWorker };
  }

  /** Takes and completes tasks until `count` are done. */
  async work(count: number): Promise<Lease[]> {
    const leases: Lease[] = [];
    while (leases.length < count) {
      const lease = await this.pull();
      if (lease === null) continue;
      await this.complete(lease);
      leases.push(lease);
    }
    return leases;
  }
}
