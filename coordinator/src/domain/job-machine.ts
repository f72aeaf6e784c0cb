import { InvariantBrokenError } from '@shardex/shared/errors';
import type { JobId, TaskId } from '@shardex/shared/ids';
import type { Effect, MachineEvent } from './job-events.js';
import type { JobSpec, PreparedJob } from './job-planner-port.js';
import { newStage, type JobRecord } from './job-record.js';
import { DEFAULT_MACHINE_OPTIONS, type Job, type MachineOptions, type MachineState, type Stage } from './job-state.js';
import {
  advanceJob,
  addWarnings,
  coordinatorWorkFailed,
  reductionDone,
  reductionProgressed,
  stagePlanned,
} from './job-stages.js';
import { cancelJob, closeIfQuiet } from './job-stop.js';
import { isLive, log, setStage, setTask, type Turn } from './job-turn.js';
import { scratchAudited, scratchAuditFailed } from './lost-output.js';
import { doubleStragglers } from './task-double.js';
import { withLease } from './task-holders.js';
import { expireLeases, grantUndelivered, matchPulls } from './task-lease.js';
import { heldAt, taskCompleted, taskFailed, taskSplitFailed } from './task-outcome.js';
import { taskSplit } from './task-split.js';
import { drainWorker, heartbeat, loseSilentWorkers, registerWorker, seen } from './worker-registry.js';

/** A machine with no jobs and no workers. */
export function createMachine(options: Partial<MachineOptions> = {}): MachineState {
  return {
    options: { ...DEFAULT_MACHINE_OPTIONS, ...options },
    jobs: new Map(),
    jobOfTask: new Map(),
    workers: new Map(),
    pulls: new Map(),
    nowMs: 0,
    lastTickMs: null,
    jobsSubmitted: 0,
    grants: 0,
  };
}

export interface StepResult {
  readonly state: MachineState;
  readonly effects: readonly Effect[];
}

/**
 * The one door of the machine: takes what happened, says what is to be done. Pure but for the ownership of `state`: it
 * is changed in place and handed back (ten thousand tasks are not copied for every heartbeat), so the caller must not
 * keep another reference to it.
 *
 * @throws InvariantBrokenError on an event that the design rules out; the state must not be used any further
 */
export function step(state: MachineState, event: MachineEvent): StepResult {
  state.nowMs = Math.max(state.nowMs, event.atMs);
  const turn: Turn = { state, nowMs: state.nowMs, effects: [], changed: new Set(), recorded: new Set() };
  apply(turn, event);
  matchPulls(turn);
  // Time alone makes a task late, so the ticks are often enough to look.
  if (event.kind === 'tick') doubleStragglers(turn);
  const changes: Effect[] = [...turn.changed].map((jobId) => ({ kind: 'jobChanged', jobId }));
  const records: Effect[] = [...turn.recorded].map((jobId) => ({ kind: 'recordJob', jobId }));
  // On record before anyone is told of it or anything of it is removed.
  return { state, effects: [...records, ...turn.effects, ...changes] };
}

function apply(turn: Turn, event: MachineEvent): void {
  const { state } = turn;
  switch (event.kind) {
    case 'jobSubmitted':
      return submit(turn, event.jobId, event.spec, event.prepared);
    case 'jobRestored':
      return restore(turn, event.record, event.attempts);
    case 'stagePlanned':
      return withStage(turn, event, (job, stage) => stagePlanned(turn, job, stage, event.tasks));
    case 'reductionProgressed':
      return withStage(turn, event, (job, stage) => reductionProgressed(turn, job, stage, event.fraction));
    case 'reductionDone':
      return withStage(turn, event, (job, stage) => reductionDone(turn, job, stage, event.report));
    case 'stagePlanFailed':
    case 'reductionFailed':
      return withStage(turn, event, (job, stage) => coordinatorWorkFailed(turn, job, stage, event.failure));
    case 'taskSplit':
      return withStage(turn, event, (job) => taskSplit(turn, job, event.taskId, event.halves));
    case 'taskSplitFailed':
      return withStage(turn, event, (job) => taskSplitFailed(turn, job, event.taskId, event.failure));
    case 'scratchAudited':
      return withJob(turn, event.jobId, (job) => {
        scratchAudited(turn, job, event.missing, event.sinceMs);
        advanceJob(turn, job);
      });
    case 'scratchAuditFailed':
      return withJob(turn, event.jobId, (job) => scratchAuditFailed(turn, job, event.failure));
    case 'cancelRequested': {
      const job = state.jobs.get(event.jobId);
      return job === undefined ? undefined : cancelJob(turn, job, event.reason);
    }
    case 'workerRegistered':
      return registerWorker(turn, event.workerId, event.capabilities);
    case 'pullRequested':
      if (seen(turn, event.workerId) === undefined) turn.effects.push({ kind: 'pullRefused', pullId: event.pullId });
      else state.pulls.set(event.pullId, event.workerId);
      return;
    case 'pullEnded':
      state.pulls.delete(event.pullId);
      return;
    case 'grantUndelivered':
      return grantUndelivered(turn, event);
    case 'heartbeat':
      return heartbeat(turn, event);
    case 'taskCompleted':
      seen(turn, event.workerId);
      turn.effects.push({ kind: 'reportAnswered', accepted: taskCompleted(turn, event, event.report) });
      return;
    case 'taskFailed':
      seen(turn, event.workerId);
      turn.effects.push({ kind: 'reportAnswered', accepted: taskFailed(turn, event, event.failure) });
      return;
    case 'workerDrained':
      return drainWorker(turn, event.workerId, event.reason);
    case 'tick':
      return tick(turn);
  }
}

function submit(turn: Turn, jobId: JobId, spec: JobSpec, prepared: PreparedJob): void {
  const job = addJob(turn, { jobId, spec, prepared, submittedMs: turn.nowMs });
  turn.recorded.add(jobId);
  const names = prepared.stages.map((stage) => stage.name);
  log(turn, 'job-submitted', `stages ${names.join(', ')}`, { jobId });
  addWarnings(turn, job, '', prepared.warnings);
  advanceJob(turn, job);
}

/** A job of an earlier life: an ended one is only remembered, another is taken up by looking what there is on scratch. */
function restore(turn: Turn, record: JobRecord, attempts: ReadonlyMap<TaskId, number>): void {
  const job = addJob(turn, record, attempts);
  job.startedMs = record.startedMs;
  job.warnings = [...record.warnings];
  job.status = record.status;
  if (record.end !== null) {
    job.endedMs = record.end.endedMs;
    job.stages.splice(0, job.stages.length, ...record.end.stages);
    job.finalHistory = record.end.history;
    return;
  }
  log(turn, 'job-restored', 'the coordinator was started again', { jobId: job.jobId });
  if (job.status.state === 'cancelling') {
    for (const stage of job.stages) setStage(turn, job, stage, { state: 'stopped' });
    closeIfQuiet(turn, job);
  } else advanceJob(turn, job);
}

function addJob(
  turn: Turn,
  { jobId, spec, prepared, submittedMs }: Pick<JobRecord, 'jobId' | 'spec' | 'prepared' | 'submittedMs'>,
  attemptsBefore: ReadonlyMap<TaskId, number> = new Map(),
): Job {
  const { state } = turn;
  const names = new Set(prepared.stages.map((stage) => stage.name));
  if (state.jobs.has(jobId) || names.size !== prepared.stages.length || names.size === 0) {
    throw new InvariantBrokenError(`job ${jobId} was submitted twice, or its stages are not distinct and at least one`);
  }
  state.jobsSubmitted += 1;
  const job: Job = {
    jobId,
    spec,
    prepared,
    serial: state.jobsSubmitted,
    submittedMs,
    status: { state: 'queued' },
    startedMs: null,
    endedMs: null,
    stages: prepared.stages.map(newStage),
    tasks: new Map(),
    taskOfOutput: new Map(),
    held: 0,
    inFlight: new Set(),
    attemptsBefore,
    warnings: [],
    // The latest grant, so that a newcomer waits its turn among jobs with equally many leases.
    lastGrant: state.grants,
    finalHistory: null,
  };
  state.jobs.set(jobId, job);
  turn.changed.add(jobId);
  return job;
}

/** Answers for jobs that are forgotten, or for stages they never had, come from a driver that is wrong about its own past. */
function withStage(
  turn: Turn,
  { jobId, stage: name }: { readonly jobId: JobId; readonly stage: string },
  act: (job: Job, stage: Stage) => void,
): void {
  const job = turn.state.jobs.get(jobId);
  const stage = job?.stages.find((one) => one.name === name);
  if (job === undefined || stage === undefined) {
    throw new InvariantBrokenError(`an answer came for stage ${name} of job ${jobId}, which is unknown`);
  }
  act(job, stage);
}

function withJob(turn: Turn, jobId: JobId, act: (job: Job) => void): void {
  const job = turn.state.jobs.get(jobId);
  if (job === undefined) throw new InvariantBrokenError(`an answer came for job ${jobId}, which is unknown`);
  act(job);
}

function tick(turn: Turn): void {
  const { state, nowMs } = turn;
  forgivePause(turn);
  state.lastTickMs = nowMs;
  loseSilentWorkers(turn);
  expireLeases(turn);
  for (const job of state.jobs.values()) if (isLive(job)) advanceJob(turn, job);
  forgetOldJobs(state);
}

/**
 * When the ticks themselves stood still (the coordinator was suspended, or its thread was blocked) the silence was ours:
 * the workers' heartbeats are waiting to be read. The time is added to every lease instead of ending them all at once.
 */
function forgivePause(turn: Turn): void {
  const { state, nowMs } = turn;
  const pausedMs = state.lastTickMs === null ? 0 : nowMs - state.lastTickMs;
  if (pausedMs < Math.min(state.options.leaseMs, state.options.workerTimeoutMs) / 2) return;
  log(turn, 'clock-paused', `the coordinator stood still for ${pausedMs} ms; leases are longer by as much`);
  for (const worker of state.workers.values()) {
    worker.lastSeenMs = Math.min(nowMs, worker.lastSeenMs + pausedMs);
    for (const taskId of worker.held) {
      const held = heldAt(turn, { workerId: worker.workerId, taskId });
      if (held?.task.state !== 'leased') continue;
      const lease = { ...held.lease, expiresMs: held.lease.expiresMs + pausedMs };
      setTask(turn, held.job, withLease(held.task, lease));
    }
  }
}

function forgetOldJobs(state: MachineState): void {
  const ended = [...state.jobs.values()].filter((job) => job.finalHistory !== null);
  for (const job of ended.slice(0, Math.max(0, ended.length - state.options.endedJobsKept)))
    state.jobs.delete(job.jobId);
}
