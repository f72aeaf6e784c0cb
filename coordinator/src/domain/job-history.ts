import type { JobHistory, StageHistory, WorkerHistory } from './job-planner-port.js';
import type { DoneTask, Job, Task } from './job-state.js';

/** How a job went until now: sums over its tasks by stage and by worker. */
export function historyOf(job: Job): JobHistory {
  if (job.finalHistory !== null) return job.finalHistory;
  const tasks = [...job.tasks.values()];
  return {
    submittedUnixMs: job.submittedMs,
    startedUnixMs: job.startedMs,
    stages: job.stages.map((_, index) => stageHistory(job, index, tasks)),
    workers: workerHistory(tasks),
    warnings: job.warnings,
  };
}

function stageHistory(job: Job, index: number, tasks: readonly Task[]): StageHistory {
  const stage = job.stages[index];
  const done = tasks.filter((task): task is DoneTask => task.stage === index && task.state === 'done');
  const sum = (of: (task: DoneTask) => number): number => done.reduce((total, task) => total + of(task), 0);
  return {
    name: stage.name,
    executor: stage.executor,
    startedUnixMs: stage.startedMs,
    endedUnixMs: stage.endedMs,
    tasks: stage.tasksTotal,
    tasksResumed: done.filter((task) => task.resumed).length,
    retries: stage.retries,
    bytesRead: stage.bytesRead + sum((task) => (task.resumed ? 0 : task.report.bytesRead)),
    bytesWritten: stage.bytesWritten + sum((task) => (task.resumed ? 0 : task.report.bytesWritten)),
    nonzeros: sum((task) => task.report.nonzeros),
    fits: sum((task) => task.report.fits),
  };
}

function workerHistory(tasks: readonly Task[]): WorkerHistory[] {
  const workers = new Map<string, { host: string; tasks: number; failures: number; peakResidentBytes: number }>();
  for (const task of tasks) {
    for (const record of task.story) {
      const worker = workers.get(record.workerId) ?? { host: record.host, tasks: 0, failures: 0, peakResidentBytes: 0 };
      workers.set(record.workerId, worker);
      if (record.outcome === 'done') worker.tasks += 1;
      else if (record.outcome === 'failed') worker.failures += 1;
    }
    const last = task.story.findLast((record) => record.outcome === 'done');
    const worker = last === undefined ? undefined : workers.get(last.workerId);
    if (task.state === 'done' && worker !== undefined)
      worker.peakResidentBytes = Math.max(worker.peakResidentBytes, task.report.peakResidentBytes);
  }
  return [...workers].map(([workerId, figures]) => ({ workerId, ...figures }));
}
