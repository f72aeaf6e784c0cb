import { create, JobSchema, JobState, StageState, type Job } from '@shardex/proto';

export interface FakeStage {
  readonly name: string;
  readonly state: StageState;
  readonly progress?: number;
  readonly tasksTotal?: number;
  readonly tasksDone?: number;
  readonly retries?: number;
  readonly seconds?: number;
}

/** Seconds before "now" (100 s) at which every stage of a fake job began. */
export const FAKE_NOW_MS = 100_000;

/** A job of which only the telling parts have to be said. Stages that have begun did so 40 s ago unless they say otherwise. */
export function fakeJob(
  state: JobState,
  stages: readonly FakeStage[],
  more: { readonly warnings?: string[]; readonly etaSeconds?: number; readonly failure?: Job['failure'] } = {},
): Job {
  return create(JobSchema, {
    id: 'job-1',
    state,
    spec: { input: '/data/screen.h5ad', output: '/data/results' },
    submittedUnixMs: 10_000,
    endedUnixMs: state >= JobState.SUCCEEDED ? 90_000 : 0,
    warnings: more.warnings ?? [],
    ...(more.etaSeconds === undefined ? {} : { etaSeconds: more.etaSeconds }),
    ...(more.failure === undefined ? {} : { failure: more.failure }),
    stages: stages.map((stage) => {
      const seconds = stage.seconds ?? 40;
      const hasBegun = stage.state !== StageState.WAITING;
      return {
        name: stage.name,
        state: stage.state,
        progress: stage.progress ?? (stage.state === StageState.DONE ? 1 : 0),
        tasksTotal: stage.tasksTotal ?? 0,
        tasksDone: stage.tasksDone ?? 0,
        retries: stage.retries ?? 0,
        startedUnixMs: hasBegun ? FAKE_NOW_MS - seconds * 1000 : 0,
        endedUnixMs: stage.state === StageState.DONE ? FAKE_NOW_MS : 0,
      };
    }),
  });
}
