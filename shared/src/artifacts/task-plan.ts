import { ResultLostError, ShardexError } from '../errors/index.js';
import type { ObjectStore } from '../storage/index.js';
import { SCRATCH_NAMES } from './job-context.js';
import type { TaskSpec } from './task-spec.js';

/** One task of a planned stage: its share of the work and the object it leaves. */
export interface PlanItem {
  readonly spec: TaskSpec;
  readonly output: string;
  /** Expected cost in a unit that all tasks of the stage share; absent: like any other. */
  readonly work?: number;
}

/** How one stage is cut into tasks, in order of their ranges. A task that was halved stands here as its two halves. */
export interface TaskPlan {
  readonly version: 2;
  readonly tasks: readonly PlanItem[];
}

/** Version of `TaskPlan` that this program writes and reads; the first was a list of specs, which could not be halved. */
const PLAN_VERSION = 2;

/** Puts the plan of a stage in the place of the one there is, whole. */
export async function commitTaskPlan(store: ObjectStore, stage: string, tasks: readonly PlanItem[]): Promise<void> {
  const plan: TaskPlan = { version: PLAN_VERSION, tasks };
  await store.commit(SCRATCH_NAMES.plan(stage), [new TextEncoder().encode(JSON.stringify(plan))]);
}

/**
 * The plan of a stage that has begun.
 *
 * @throws ResultLostError, naming the object in `details.output`, when it is gone or cannot be read
 */
export async function readTaskPlan(store: ObjectStore, stage: string): Promise<readonly PlanItem[]> {
  const output = SCRATCH_NAMES.plan(stage);
  try {
    const plan = JSON.parse(new TextDecoder().decode(await store.readAll(output))) as TaskPlan;
    if (plan.version === PLAN_VERSION) return plan.tasks;
  } catch (error) {
    if (error instanceof ShardexError && error.tag !== 'InvalidInput' && error.tag !== 'CorruptData') throw error;
  }
  throw new ResultLostError(`${output} in ${store.uri} is gone or no plan of tasks`, { details: { output } });
}
