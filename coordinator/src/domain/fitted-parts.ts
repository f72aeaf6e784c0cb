import type { Job, Task } from './job-state.js';
import { isLive } from './job-turn.js';

/** What there is of a running job's comparisons: names of objects on its scratch. */
export interface FittedParts {
  readonly scratchUri: string;
  /** Outputs of `control`, all of them, and of the `fit` tasks that are done, each in the order of what they hold. */
  readonly outputs: { readonly control: readonly string[]; readonly fit: readonly string[] };
}

/** Where a task's share begins. */
function beginOf({ spec }: Task): number {
  if (spec.kind === 'control') return spec.geneBegin;
  return spec.kind === 'fit' ? spec.groupBegin : 0;
}

/** Null when no comparison is done, when something they need is being made again, and when the job has stopped. */
export function fittedParts(job: Job): FittedParts | null {
  const control = job.stages.findIndex(({ name }) => name === 'control');
  const fit = job.stages.findIndex(({ name }) => name === 'fit');
  if (!isLive(job) || fit < 0 || job.stages[fit].tasksDone === 0) return null;
  if (job.stages[control]?.status.state !== 'done') return null;
  const done = [...job.tasks.values()]
    .filter((task) => task.state === 'done' && (task.stage === control || task.stage === fit))
    .sort((left, right) => beginOf(left) - beginOf(right));
  const outputsOf = (stage: number): string[] => done.flatMap((task) => (task.stage === stage ? [task.output] : []));
  return { scratchUri: done[0].scratchUri, outputs: { control: outputsOf(control), fit: outputsOf(fit) } };
}
