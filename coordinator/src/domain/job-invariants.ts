import { InvariantBrokenError } from '@shardex/shared/errors';
import type { Job, MachineState, Stage, Task } from './job-state.js';
import { tellJob, tellTaskState } from './job-story.js';
import { MAX_DOUBLES } from './task-double.js';
import { leaseAt, leasesOf } from './task-holders.js';

/**
 * Checks everything that has to hold between two events. For tests: it looks at every task.
 *
 * @throws InvariantBrokenError with the story of the first entity that is wrong
 */
export function checkInvariants(state: MachineState): void {
  for (const job of state.jobs.values()) checkJob(state, job);
  for (const [taskId, jobId] of state.jobOfTask) {
    if (state.jobs.get(jobId)?.tasks.has(taskId) !== true)
      broken(`task ${taskId} is listed for job ${jobId}, which lacks it`);
  }
  for (const worker of state.workers.values()) {
    for (const taskId of worker.held) {
      const jobId = state.jobOfTask.get(taskId);
      const task = jobId === undefined ? undefined : state.jobs.get(jobId)?.tasks.get(taskId);
      if (task === undefined || leaseAt(task, worker.workerId) === undefined) {
        broken(`worker ${worker.workerId} is said to hold ${taskId}, which it does not`);
      }
    }
  }
  for (const [pullId, workerId] of state.pulls) {
    if (!state.workers.has(workerId)) broken(`pull ${pullId} waits for worker ${workerId}, which is not registered`);
  }
}

function checkJob(state: MachineState, job: Job): void {
  const tell = (): string => tellJob(job);
  const tasks = [...job.tasks.values()];
  const held = tasks.reduce((sum, task) => sum + leasesOf(task).length, 0);
  if (held !== job.held) broken(`${held} attempts are held, the count says ${job.held}; ${tell()}`);
  for (const task of tasks) checkTask(state, job, task);
  job.stages.forEach((stage, index) => {
    if (job.finalHistory === null)
      checkStage(
        job,
        stage,
        tasks.filter((task) => task.stage === index),
      );
  });
  const ended = job.status.state === 'succeeded' || job.status.state === 'failed' || job.status.state === 'cancelled';
  if (ended !== (job.endedMs !== null)) broken(`an ended job has a time of its end, others have none; ${tell()}`);
  const stages = job.stages.map((stage) => stage.status.state);
  if (job.status.state === 'succeeded' && stages.some((name) => name !== 'done'))
    broken(`success without every stage; ${tell()}`);
  if (job.status.state === 'cancelling' && held === 0 && job.inFlight.size === 0)
    broken(`nothing is left to wait for; ${tell()}`);
  if (job.status.state === 'cancelled' && held > 0) broken(`cancelled with tasks still held; ${tell()}`);
  const live = job.status.state === 'queued' || job.status.state === 'running';
  if (live && stages.every((name) => name === 'done')) broken(`every stage is done and the job goes on; ${tell()}`);
  if (live && (stages.includes('failed') || stages.includes('stopped')))
    broken(`a live job has a dead stage; ${tell()}`);
  if (!ended && job.finalHistory !== null) broken(`a job that goes on has forgotten its tasks; ${tell()}`);
}

function checkStage(job: Job, stage: Stage, tasks: readonly Task[]): void {
  const tell = (): string => `stage ${stage.name} of ${tellJob(job)}`;
  const ready = tasks.filter((task) => task.state === 'ready').sort((a, b) => a.ordinal - b.ordinal);
  const done = tasks.filter((task) => task.state === 'done').length;
  if (tasks.filter((task) => task.state !== 'split').length !== stage.tasksTotal)
    broken(`a task is lost or too many; ${tell()}`);
  if (done !== stage.tasksDone) broken(`${done} tasks are done, the count says ${stage.tasksDone}; ${tell()}`);
  if (ready.map((task) => task.taskId).join() !== stage.ready.join())
    broken(`the queue is not the ready tasks in order; ${tell()}`);
  const { state } = stage.status;
  if (state === 'done' && done !== stage.tasksTotal) broken(`done with unfinished tasks; ${tell()}`);
  if ((state === 'planning' || state === 'reducing') && !job.inFlight.has(stage.name))
    broken(`nobody works on it; ${tell()}`);
  if ((state === 'waiting' || state === 'planning') && tasks.length > 0) broken(`tasks before the plan; ${tell()}`);
}

function checkTask(state: MachineState, job: Job, task: Task): void {
  const tell = (): string => `${tellTaskState(task)}; ${tellJob(job)}`;
  const live = job.status.state === 'queued' || job.status.state === 'running';
  if (state.jobOfTask.get(task.taskId) !== job.jobId) broken(`not listed under its job; ${tell()}`);
  if (task.taskId !== job.taskOfOutput.get(task.output)) broken(`its output is not listed; ${tell()}`);
  if (live && (task.state === 'abandoned' || task.state === 'dropped' || task.state === 'failed'))
    broken(`dead in a live job; ${tell()}`);
  if (!live && (task.state === 'ready' || task.state === 'leased' || task.state === 'splitting'))
    broken(`alive in a stopped job; ${tell()}`);
  if (task.countedFailures > state.options.maxAttempts) broken(`too many attempts; ${tell()}`);
  if (task.freeFailures > state.options.maxFreeFailures) broken(`too many free failures; ${tell()}`);
  if (task.state === 'splitting' && !job.inFlight.has(task.taskId)) broken(`nobody halves it; ${tell()}`);
  const granted = task.attemptsGranted - (job.attemptsBefore.get(task.taskId) ?? 0);
  const leases = leasesOf(task);
  if (granted - task.story.length !== leases.length) broken(`an attempt has no end, or two; ${tell()}`);
  const running = [...task.story.map(({ attempt }) => attempt), ...leases.map(({ attempt }) => attempt)];
  if (new Set(running).size !== running.length || Math.max(0, ...running) > task.attemptsGranted)
    broken(`an attempt was made twice, or never granted; ${tell()}`);
  if (leases.length === 2 && leases[0].workerId === leases[1].workerId)
    broken(`one worker has both attempts; ${tell()}`);
  if (leases.length === 2 && task.doublesGranted === 0) broken(`two attempts at once by mistake; ${tell()}`);
  if (task.doublesGranted > MAX_DOUBLES) broken(`too many second attempts; ${tell()}`);
  for (const { workerId } of leases) {
    if (state.workers.get(workerId)?.held.has(task.taskId) !== true)
      broken(`its worker does not know of it; ${tell()}`);
  }
}

function broken(what: string): never {
  throw new InvariantBrokenError(what, { hint: 'please report this as a bug' });
}
