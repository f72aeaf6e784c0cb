import {
  ExistingOutput as WireExistingOutput,
  JobSchema,
  JobState,
  StageState,
  create,
  type Job as WireJob,
  type JobEvent,
  type MessageInitShape,
  type JobEventSchema,
} from '@shardex/proto';
import { InvalidInputError } from '@shardex/shared/errors';
import { parametersToWire } from '@shardex/shared/rpc';
import type { ExistingOutput, Failure, JobStateName, JobView, LogEntry, StageStateName } from '../domain/index.js';

const JOB_STATES: Readonly<Record<JobStateName, JobState>> = {
  queued: JobState.QUEUED,
  running: JobState.RUNNING,
  cancelling: JobState.CANCELLING,
  succeeded: JobState.SUCCEEDED,
  failed: JobState.FAILED,
  cancelled: JobState.CANCELLED,
};

/** The wire tells fewer states apart: what matters there is whether a stage has begun and how it ended. */
const STAGE_STATES: Readonly<Record<StageStateName, StageState>> = {
  waiting: StageState.WAITING,
  planning: StageState.RUNNING,
  running: StageState.RUNNING,
  reducing: StageState.RUNNING,
  done: StageState.DONE,
  failed: StageState.FAILED,
  stopped: StageState.WAITING,
};

/** A job as `JobService` tells it. Times that do not exist yet are 0. */
export function jobToWire(view: JobView): WireJob {
  return create(JobSchema, {
    id: view.jobId,
    state: JOB_STATES[view.state],
    spec: parametersToWire(view.parameters),
    owner: view.owner,
    stages: view.stages.map((stage) => ({
      name: stage.name,
      state: STAGE_STATES[stage.state],
      tasksTotal: stage.tasksTotal,
      tasksDone: stage.tasksDone,
      tasksRunning: stage.tasksRunning,
      retries: stage.retries,
      progress: stage.progress,
      startedUnixMs: stage.startedMs ?? 0,
      endedUnixMs: stage.endedMs ?? 0,
    })),
    submittedUnixMs: view.submittedMs,
    startedUnixMs: view.startedMs ?? 0,
    endedUnixMs: view.endedMs ?? 0,
    ...(view.failure === null ? {} : { failure: failureToWire(view.failure) }),
    warnings: [...view.warnings],
    ...(view.etaSeconds === null ? {} : { etaSeconds: view.etaSeconds }),
  });
}

function failureToWire({ tag, message, hint, details }: Failure) {
  const texts = Object.entries(details).map(([key, value]) => [key, String(value)]);
  return { tag, message, hint, details: Object.fromEntries(texts) as Record<string, string> };
}

/** One line of a job's story. */
export function entryToWire(entry: LogEntry): MessageInitShape<typeof JobEventSchema> & Partial<JobEvent> {
  return {
    unixMs: entry.atMs,
    kind: entry.kind,
    text: entry.text,
    stage: entry.stage ?? '',
    taskId: entry.taskId ?? '',
    workerId: entry.workerId ?? '',
    attempt: entry.attempt ?? 0,
  };
}

/** @throws InvalidInputError for a value this version does not know */
export function existingOutputFromWire(value: WireExistingOutput): ExistingOutput {
  switch (value) {
    case WireExistingOutput.UNSPECIFIED:
      return 'refuse';
    case WireExistingOutput.FORCE:
      return 'force';
    case WireExistingOutput.RESUME:
      return 'resume';
    default:
      throw new InvalidInputError(`existing_output has the unknown value ${String(value)}`, {
        hint: 'use the same version of shardex on both sides',
      });
  }
}
