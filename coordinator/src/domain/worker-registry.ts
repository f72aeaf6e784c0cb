import type { TaskId, WorkerId } from '@shardex/shared/ids';
import type { MachineEvent } from './job-events.js';
import type { Worker, WorkerCapabilities } from './job-state.js';
import { log, setTask, type Turn } from './job-turn.js';
import { withLease } from './task-holders.js';
import { takeBack } from './task-lease.js';
import { heldAt, heldBy, letGo } from './task-outcome.js';

/** A worker introduces itself. One that comes back after a loss does so under a new id. */
export function registerWorker(turn: Turn, workerId: WorkerId, capabilities: WorkerCapabilities): void {
  const before = turn.state.workers.get(workerId);
  if (before !== undefined) forgetWorker(turn, before, 'worker-lost', 'registered again');
  turn.state.workers.set(workerId, {
    workerId,
    capabilities,
    registeredMs: turn.nowMs,
    lastSeenMs: turn.nowMs,
    residentBytes: 0,
    held: new Set(),
  });
  const { host, pid, threads } = capabilities;
  log(turn, 'worker-registered', `on ${host}, process ${pid}, ${threads} threads`, { workerId });
}

/** Any call shows that a worker lives. */
export function seen(turn: Turn, workerId: WorkerId): Worker | undefined {
  const worker = turn.state.workers.get(workerId);
  if (worker !== undefined) worker.lastSeenMs = turn.nowMs;
  return worker;
}

/** Extends the leases that the worker names and tells it which of them are no longer its own. */
export function heartbeat(turn: Turn, event: Extract<MachineEvent, { kind: 'heartbeat' }>): void {
  const worker = seen(turn, event.workerId);
  const abandon: TaskId[] = [];
  const named = new Set<TaskId>();
  for (const { taskId, attempt, fraction } of event.progress) {
    named.add(taskId);
    const held = heldBy(turn, { workerId: event.workerId, taskId, attempt });
    if (held === null || held.task.state === 'abandoned') abandon.push(taskId);
    if (held?.task.state === 'leased') {
      const expiresMs = turn.nowMs + turn.state.options.leaseMs;
      const lease = { ...held.lease, expiresMs, fraction: Math.min(1, Math.max(0, fraction)), confirmed: true };
      setTask(turn, held.job, withLease(held.task, lease));
    }
  }
  if (worker !== undefined) {
    worker.residentBytes = event.residentBytes;
    releaseUnnamed(turn, worker, named);
  }
  turn.effects.push({ kind: 'heartbeatAnswered', abandon, unknownWorker: worker === undefined });
}

/** A worker that named an abandoned task before and does not now has let go of it: no need to wait for the lease to end. */
function releaseUnnamed(turn: Turn, worker: Worker, named: ReadonlySet<TaskId>): void {
  for (const taskId of [...worker.held]) {
    if (named.has(taskId)) continue;
    const held = heldAt(turn, { workerId: worker.workerId, taskId });
    if (held?.task.state === 'abandoned' && held.lease.confirmed) letGo(turn, held.job, held.task, held.lease);
  }
}

/** The worker's last call: what it still holds goes back. */
export function drainWorker(turn: Turn, workerId: WorkerId, reason: string): void {
  const worker = turn.state.workers.get(workerId);
  if (worker === undefined) return;
  log(turn, 'worker-drained', reason, { workerId });
  forgetWorker(turn, worker, 'given-back', `gave it back: ${reason}`);
}

/** Gives up on workers that were not heard of for too long. */
export function loseSilentWorkers(turn: Turn): void {
  for (const worker of [...turn.state.workers.values()]) {
    const silentMs = turn.nowMs - worker.lastSeenMs;
    if (silentMs < turn.state.options.workerTimeoutMs) continue;
    log(turn, 'worker-lost', `not heard of for ${silentMs} ms`, { workerId: worker.workerId });
    forgetWorker(turn, worker, 'worker-lost', `was not heard of for ${silentMs} ms`);
  }
}

function forgetWorker(turn: Turn, worker: Worker, why: 'worker-lost' | 'given-back', text: string): void {
  takeBack(turn, worker, why, text);
  turn.state.workers.delete(worker.workerId);
  for (const [pullId, owner] of turn.state.pulls) {
    if (owner !== worker.workerId) continue;
    turn.state.pulls.delete(pullId);
    turn.effects.push({ kind: 'pullRefused', pullId });
  }
}
