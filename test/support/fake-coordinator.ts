import { Server, ServerCredentials } from '@grpc/grpc-js';
import {
  WorkerService,
  type CompleteTaskRequest,
  type DrainWorkerRequest,
  type FailTaskRequest,
  type HeartbeatRequest,
  type PullTaskRequest,
  type RegisterWorkerRequest,
} from '@shardex/proto';
import type { ShardexError } from '@shardex/shared/errors';
import { leaseToWire, serve, type GrantedTask } from '@shardex/shared/rpc';

interface Requests {
  readonly register: RegisterWorkerRequest;
  readonly pull: PullTaskRequest;
  /** A pull that the worker gave up, or lost with its connection. */
  readonly pullCancelled: PullTaskRequest;
  readonly heartbeat: HeartbeatRequest;
  readonly complete: CompleteTaskRequest;
  readonly fail: FailTaskRequest;
  readonly drain: DrainWorkerRequest;
}
export type CallName = keyof Requests;

/** Requests of one kind: those nobody has asked for yet, and those who ask before they come. */
class Inbox<Request> {
  readonly all: Request[] = [];
  readonly #unseen: Request[] = [];
  readonly #waiting: ((request: Request) => void)[] = [];

  push(request: Request): void {
    this.all.push(request);
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#unseen.push(request);
    else waiting(request);
  }

  next(): Promise<Request> {
    const unseen = this.#unseen.shift();
    return unseen === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(unseen);
  }
}

/**
 * A coordinator for tests of workers: real gRPC, no scheduling. It grants what the test queues, records every call in
 * order, and answers as told.
 */
export class FakeCoordinator {
  /** Ids that are known; clear it to be a coordinator that has forgotten its workers. */
  readonly workers = new Set<string>();
  /** Tasks that the next heartbeat naming them is told to abandon. */
  readonly toAbandon = new Set<string>();
  /** Errors for the next calls of a kind, in order; null: answer well. */
  readonly refusals = new Map<CallName, (ShardexError | null)[]>();
  /** Names of the calls as they came, heartbeats left out. */
  readonly order: CallName[] = [];
  port = 0;
  readonly #server = new Server();
  readonly #inboxes = new Map<CallName, Inbox<never>>();
  readonly #granted: GrantedTask[] = [];
  readonly #pulls = new Set<() => void>();

  private constructor(
    readonly heartbeatIntervalMs: number,
    readonly namePrefix: string,
  ) {}

  /** @param port - 0: any free one; that of a coordinator before, to be its successor */
  static async start({ port = 0, heartbeatIntervalMs = 10, namePrefix = 'worker' } = {}): Promise<FakeCoordinator> {
    const fake = new FakeCoordinator(heartbeatIntervalMs, namePrefix);
    fake.#serve();
    fake.port = await new Promise<number>((resolve, reject) => {
      fake.#server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
    });
    return fake;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** The next call of this kind that was not handed out yet. */
  next<Name extends CallName>(name: Name): Promise<Requests[Name]> {
    return this.#inbox(name).next();
  }

  /** Every call of this kind so far. */
  all<Name extends CallName>(name: Name): readonly Requests[Name][] {
    return this.#inbox(name).all;
  }

  /** Resolves with the first heartbeat from now on for which the condition holds. */
  async heartbeatWith(condition: (request: HeartbeatRequest) => boolean): Promise<HeartbeatRequest> {
    for (;;) {
      const request = await this.next('heartbeat');
      if (condition(request)) return request;
    }
  }

  grant(task: GrantedTask): void {
    this.#granted.push(task);
    for (const wake of this.#pulls) wake();
  }

  /** Goes away without a word, as a process that is killed. */
  kill(): void {
    this.#server.forceShutdown();
  }

  #inbox<Name extends CallName>(name: Name): Inbox<Requests[Name]> {
    let inbox = this.#inboxes.get(name);
    if (inbox === undefined) this.#inboxes.set(name, (inbox = new Inbox<never>()));
    return inbox as unknown as Inbox<Requests[Name]>;
  }

  #record<Name extends CallName>(name: Name, request: Requests[Name]): void {
    if (name !== 'heartbeat') this.order.push(name);
    this.#inbox(name).push(request);
    const refusal = this.refusals.get(name)?.shift() ?? null;
    if (refusal !== null) throw refusal;
  }

  #serve(): void {
    serve(this.#server, WorkerService, {
      registerWorker: (request) => {
        const workerId = `${this.namePrefix}-${this.workers.size + 1}`;
        this.#record('register', request);
        this.workers.add(workerId);
        return Promise.resolve({ workerId, heartbeatIntervalMs: this.heartbeatIntervalMs, leaseMs: 10_000 });
      },
      pullTask: async (request, { signal }) => {
        this.#record('pull', request);
        while (this.#granted.length === 0 && !signal.aborted) await this.#change(signal);
        if (signal.aborted) {
          this.#record('pullCancelled', request);
          return {};
        }
        return { lease: leaseToWire(this.#granted.shift() as GrantedTask) };
      },
      heartbeat: (request) => {
        this.#record('heartbeat', request);
        const named = request.progress.map(({ taskId }) => taskId);
        const abandonTaskIds = named.filter((taskId) => this.toAbandon.has(taskId));
        return Promise.resolve({ abandonTaskIds, unknownWorker: !this.workers.has(request.workerId) });
      },
      completeTask: (request) => {
        this.#record('complete', request);
        return Promise.resolve({ accepted: true });
      },
      failTask: (request) => {
        this.#record('fail', request);
        return Promise.resolve({ accepted: true });
      },
      drainWorker: (request) => {
        this.#record('drain', request);
        this.workers.delete(request.workerId);
        return Promise.resolve({});
      },
    });
  }

  /** Until something is granted or the caller is gone. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#pulls.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#pulls.add(wake);
      signal.addEventListener('abort', wake);
    });
  }
}
