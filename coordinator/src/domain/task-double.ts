import type { WorkerId } from '@shardex/shared/ids';
import type { Job, LeasedTask, MachineState, PullId, Worker } from './job-state.js';
import { frontierOf } from './job-stages.js';
import { aboutTask, coreOf, isLive, log, setTask, type Turn } from './job-turn.js';
import { granted, newLease, roomOf } from './task-lease.js';

/** A task is late when it has run this many times as long as it should have. */
const LATE_FACTOR = 2;

/** What a worker tells of its progress counts as no more than this: one that says for long that it is nearly done hangs. */
const MOST_BELIEVED = 0.9;

/** A worker from which this many heartbeats are missing does not go on as it told. */
const MISSED_HEARTBEATS = 3;

/** A second worker may be as slow, or be lost; two that were no help say that it is the task. */
export const MAX_DOUBLES = 2;

interface Straggler {
  readonly job: Job;
  readonly task: LeasedTask;
  readonly expectedMs: number;
  /** Times that it has run longer than it should have. */
  readonly lateness: number;
}

/**
 * Gives tasks that take far too long to workers that wait and for which there is nothing else, the latest task first.
 *
 * How long a task should take comes from those of its stage that are done: the median of their time a unit of work. It is
 * tried again only if that is expected to be sooner than what is left of the attempt that runs.
 *
 * Cost: nothing unless a worker waits; then one look at each task in workers' hands, and for a job with one that has run
 * long enough at all its tasks.
 *
 * @source M. Zaharia et al., "Improving MapReduce performance in heterogeneous environments", OSDI 2008: time left by
 *   progress, the longest first, only when nothing else waits
 */
export function doubleStragglers(turn: Turn): void {
  const { pulls, workers, options } = turn.state;
  if (pulls.size === 0 || options.doubleAfterMs === 0) return;
  const late = stragglersOf(turn);
  for (const [pullId, workerId] of late.length === 0 ? [] : [...pulls]) {
    const worker = workers.get(workerId);
    const place = worker === undefined ? -1 : late.findIndex(({ task }) => suits(turn.state, task, worker));
    if (worker === undefined || place < 0) continue;
    const [straggler] = late.splice(place, 1);
    double(turn, pullId, straggler, worker);
  }
}

function stragglersOf(turn: Turn): Straggler[] {
  const longest = new Map<Job, LeasedTask[]>();
  for (const { held } of turn.state.workers.values()) {
    for (const taskId of held) {
      const jobId = turn.state.jobOfTask.get(taskId);
      const job = jobId === undefined ? undefined : turn.state.jobs.get(jobId);
      const task = job?.tasks.get(taskId);
      if (job === undefined || task?.state !== 'leased' || !mayBeDoubled(turn, job, task)) continue;
      longest.set(job, [...(longest.get(job) ?? []), task]);
    }
  }
  return [...longest]
    .flatMap(([job, tasks]) => lateOf(turn, job, tasks))
    .sort((a, b) => b.lateness - a.lateness || a.task.lease.grantedMs - b.task.lease.grantedMs);
}

function mayBeDoubled({ state, nowMs }: Turn, job: Job, task: LeasedTask): boolean {
  const stage = frontierOf(job);
  return (
    isLive(job) &&
    task.double === null &&
    task.doublesGranted < MAX_DOUBLES &&
    nowMs - task.lease.grantedMs >= state.options.doubleAfterMs &&
    stage === job.stages[task.stage] &&
    stage.ready.length === 0
  );
}

/** Tasks of one job, all of the same stage, that are late. */
function lateOf(turn: Turn, job: Job, tasks: readonly LeasedTask[]): Straggler[] {
  const msPerWork = medianMsPerWork(job, tasks[0].stage);
  if (msPerWork === null) return [];
  return tasks.flatMap((task) => {
    const expectedMs = Math.max(1, msPerWork * task.work);
    const lateness = (turn.nowMs - task.lease.grantedMs) / expectedMs;
    return lateness >= LATE_FACTOR && leftMs(turn, task) > expectedMs ? [{ job, task, expectedMs, lateness }] : [];
  });
}

/** Of the tasks of a stage that were done by an attempt of this life; null when there is none. */
function medianMsPerWork(job: Job, stage: number): number | null {
  const rates: number[] = [];
  for (const task of job.tasks.values()) {
    if (task.stage !== stage || task.state !== 'done') continue;
    const last = task.story.findLast(({ outcome }) => outcome === 'done');
    if (last !== undefined) rates.push((last.endedMs - last.startedMs) / task.work);
  }
  return rates.length === 0 ? null : rates.sort((a, b) => a - b)[rates.length >> 1];
}

/** What is left of the attempt that runs, if it goes on as it went. */
function leftMs({ state, nowMs }: Turn, { lease }: LeasedTask): number {
  const { lastSeenMs } = state.workers.get(lease.workerId) ?? { lastSeenMs: -Infinity };
  if (nowMs - lastSeenMs > MISSED_HEARTBEATS * state.options.heartbeatMs || lease.fraction === 0) return Infinity;
  const fraction = Math.min(lease.fraction, MOST_BELIEVED);
  return ((nowMs - lease.grantedMs) * (1 - fraction)) / fraction;
}

function suits(state: MachineState, task: LeasedTask, worker: Worker): boolean {
  const holder: WorkerId = task.lease.workerId;
  return holder !== worker.workerId && task.memoryBytes <= roomOf(state, worker).freeBytes;
}

function double(turn: Turn, pullId: PullId, { job, task, expectedMs }: Straggler, worker: Worker): void {
  turn.state.pulls.delete(pullId);
  const second = newLease(turn, task, worker);
  const core = {
    ...coreOf(task),
    attemptsGranted: second.attempt,
    doublesGranted: task.doublesGranted + 1,
  };
  setTask(turn, job, { ...core, state: 'leased', lease: task.lease, double: second });
  const tenths = (ms: number): string => (ms / 1000).toFixed(1);
  const text = `${tenths(turn.nowMs - task.lease.grantedMs)} s and not done, where ${tenths(expectedMs)} s were expected`;
  log(turn, 'task-doubled', text, aboutTask(job, task, task.lease));
  turn.effects.push({ kind: 'grant', pullId, grant: granted(turn, job, task, second) });
}
