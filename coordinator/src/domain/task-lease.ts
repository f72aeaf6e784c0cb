import type { TaskId } from '@shardex/shared/ids';
import type { Claim, Grant } from './job-events.js';
import type { Job, LeasedTask, LeaseRecord, MachineState, ReadyTask, Task, TaskCore, Worker } from './job-state.js';
import { frontierOf } from './job-stages.js';
import { aboutTask, coreOf, isLive, log, setTask, startJob, taskOf, type Turn } from './job-turn.js';
import { endLease, heldAt, heldBy, letGo } from './task-outcome.js';

/** Hands ready tasks to waiting pulls, oldest pull first, until there is no pair left. */
export function matchPulls(turn: Turn): void {
  const { pulls, workers } = turn.state;
  if (pulls.size === 0) return;
  // A thousand workers may wait while every heartbeat comes past here: nothing is gone through before there is work.
  let jobs = jobsWithWork(turn.state);
  for (const [pullId, workerId] of jobs.length === 0 ? [] : [...pulls]) {
    if (jobs.length === 0) return;
    const worker = workers.get(workerId);
    const choice = worker === undefined ? null : chooseTask(turn, jobs, worker);
    if (worker === undefined || choice === null) continue;
    pulls.delete(pullId);
    const grant = lease(turn, choice.job, choice.task, worker);
    turn.effects.push({ kind: 'grant', pullId, grant });
    jobs = jobsWithWork(turn.state);
  }
}

/** Live jobs with ready tasks, those with the fewest tasks in workers' hands first; equals take turns. */
function jobsWithWork(state: MachineState): Job[] {
  const jobs = [...state.jobs.values()].filter((job) => isLive(job) && (frontierOf(job)?.ready.length ?? 0) > 0);
  return jobs.sort((a, b) => a.held - b.held || a.lastGrant - b.lastGrant || a.serial - b.serial);
}

function chooseTask(turn: Turn, jobs: readonly Job[], worker: Worker): { job: Job; task: ReadyTask } | null {
  const room = roomOf(turn.state, worker);
  for (const job of jobs) {
    for (const taskId of frontierOf(job)?.ready ?? []) {
      const task = taskOf(job, taskId);
      if (task.state === 'ready' && suits(turn, task, worker, room)) return { job, task };
    }
  }
  return null;
}

/** What a worker has left for another task. */
export interface Room {
  /** Memory that its other tasks leave, in bytes. */
  readonly freeBytes: number;
  /** It holds nothing, and no registered worker has more memory. */
  readonly isIdleAndLargest: () => boolean;
}

export function roomOf(state: MachineState, worker: Worker): Room {
  const memoryOf = (one: Worker): number =>
    one.capabilities.memoryBytes === 0 ? Infinity : one.capabilities.memoryBytes;
  let heldBytes = 0;
  for (const taskId of worker.held) heldBytes += heldTask(state, taskId)?.memoryBytes ?? 0;
  return {
    freeBytes: memoryOf(worker) - heldBytes,
    // Asks every worker, so only when it matters.
    isIdleAndLargest: () =>
      worker.held.size === 0 && [...state.workers.values()].every((other) => memoryOf(other) <= memoryOf(worker)),
  };
}

function heldTask(state: MachineState, taskId: TaskId): Task | undefined {
  const jobId = state.jobOfTask.get(taskId);
  return jobId === undefined ? undefined : state.jobs.get(jobId)?.tasks.get(taskId);
}

/** Whether this worker should have this task now: it is due, fits, and did not just fail here while others could try. */
function suits(turn: Turn, task: ReadyTask, worker: Worker, room: Room): boolean {
  if (task.notBeforeMs > turn.nowMs) return false;
  // A task too large for every worker is better tried on the largest than never.
  if (task.memoryBytes > room.freeBytes && !room.isIdleAndLargest()) return false;
  const avoided = task.avoid?.workerId === worker.workerId && task.avoid.untilMs > turn.nowMs;
  return !avoided || ![...turn.state.workers.values()].some((other) => other !== worker && couldHold(other, task));
}

const couldHold = ({ capabilities }: Worker, task: ReadyTask): boolean =>
  capabilities.memoryBytes === 0 || capabilities.memoryBytes >= task.memoryBytes;

function lease(turn: Turn, job: Job, task: ReadyTask, worker: Worker): Grant {
  startJob(turn, job);
  const first = newLease(turn, task, worker);
  const core = { ...coreOf(task), attemptsGranted: first.attempt };
  setTask(turn, job, { ...core, state: 'leased', lease: first, double: null });
  return granted(turn, job, task, first);
}

/** The next attempt at a task, for this worker. */
export function newLease(turn: Turn, task: TaskCore, { workerId }: Worker): LeaseRecord {
  const { nowMs, state } = turn;
  const attempt = task.attemptsGranted + 1;
  return {
    workerId,
    attempt,
    grantedMs: nowMs,
    expiresMs: nowMs + state.options.leaseMs,
    fraction: 0,
    confirmed: false,
  };
}

/** What the worker is told of an attempt that is on record now. */
export function granted(turn: Turn, job: Job, task: TaskCore, lease: LeaseRecord): Grant {
  const { workerId, attempt } = lease;
  turn.state.grants += 1;
  job.lastGrant = turn.state.grants;
  log(turn, 'task-granted', `attempt ${attempt}`, aboutTask(job, task, lease));
  const { taskId, spec, scratchUri, output, memoryBytes } = task;
  const stage = job.stages[task.stage].name;
  return { workerId, taskId, attempt, jobId: job.jobId, stage, spec, scratchUri, output, memoryBytes };
}

/** Ends every lease whose time is over. */
export function expireLeases(turn: Turn): void {
  for (const worker of [...turn.state.workers.values()]) {
    for (const taskId of [...worker.held]) {
      const held = heldAt(turn, { workerId: worker.workerId, taskId });
      if (held === null) continue;
      const { job, task, lease } = held;
      if (lease.expiresMs > turn.nowMs) {
        if (task.state === 'leased') endIfTooLong(turn, job, task, lease);
        continue;
      }
      log(turn, 'lease-expired', `no word of it for ${turn.state.options.leaseMs} ms`, aboutTask(job, task, lease));
      if (task.state === 'abandoned') letGo(turn, job, task, lease);
      else endLease(turn, job, task, lease, 'lease-expired', lostFailure(worker, 'did not extend the lease in time'));
    }
  }
}

/** A task whose worker is well but that does not end. The worker learns by its next heartbeat that nobody waits for it. */
function endIfTooLong(turn: Turn, job: Job, task: LeasedTask, lease: LeaseRecord): void {
  const { taskTimeoutMs } = turn.state.options;
  if (taskTimeoutMs === 0 || turn.nowMs - lease.grantedMs < taskTimeoutMs) return;
  endLease(turn, job, task, lease, 'timed-out', {
    tag: 'DeadlineExceeded',
    message: `the task was not done after ${taskTimeoutMs / 1000} s`,
    hint: 'allow more with --task-timeout-ms of the coordinator',
    details: {},
  });
}

/** Takes everything from a worker: it is lost, or it says goodbye. */
export function takeBack(turn: Turn, worker: Worker, why: 'worker-lost' | 'given-back', text: string): void {
  for (const taskId of [...worker.held]) {
    const held = heldAt(turn, { workerId: worker.workerId, taskId });
    if (held === null) continue;
    const { job, task, lease } = held;
    if (task.state === 'abandoned') letGo(turn, job, task, lease);
    // A worker that drains may do so as often as it likes: rolling restarts must not use up a task's patience.
    else endLease(turn, job, task, lease, why, lostFailure(worker, text), { free: why === 'given-back' });
  }
}

/** The grant never reached its worker. */
export function grantUndelivered(turn: Turn, claim: Claim): void {
  const held = heldBy(turn, claim);
  if (held === null) return;
  const { job, task, lease } = held;
  if (task.state === 'abandoned') letGo(turn, job, task, lease);
  else {
    const failure = {
      tag: 'WorkerLost',
      message: 'the pull was gone before its answer',
      hint: '',
      details: {},
    } as const;
    endLease(turn, job, task, lease, 'undelivered', failure, { free: true });
  }
}

function lostFailure(worker: Worker, text: string) {
  const where = worker.capabilities.host === '' ? '' : ` on ${worker.capabilities.host}`;
  return {
    tag: 'WorkerLost',
    message: `worker ${worker.workerId}${where} ${text}`,
    hint: "look at that worker's log; a worker that is killed may need more memory",
    details: { workerId: worker.workerId },
  } as const;
}
