import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { JobState } from '@shardex/proto';
import type { StageHistory } from '@shardex/coordinator/domain';
import { DePlanner } from '@shardex/coordinator/planner';
import { commitTaskPlan, SCRATCH_NAMES, type TaskSpec } from '@shardex/shared/artifacts';
import { DEFAULT_DE_PARAMETERS, type DeParameters } from '@shardex/shared/config';
import { jobId } from '@shardex/shared/ids';
import { parametersFromWire, parametersToWire } from '@shardex/shared/rpc';
import { openStore } from '@shardex/shared/storage';
import { runTask } from '@shardex/worker/tasks';
import { runCluster } from './shardex.js';

/** What the kernels of a task may take. */
const TASK_MEMORY_BYTES = 2 ** 28;

const NO_TIMES = { submittedUnixMs: 0, startedUnixMs: 0 };
const NO_FIGURES = {
  startedUnixMs: 0,
  endedUnixMs: 0,
  tasksResumed: 0,
  retries: 0,
  bytesRead: 0,
  bytesWritten: 0,
  nonzeros: 0,
  fits: 0,
};

export interface DeRun {
  readonly parameters?: Partial<DeParameters>;
  /** So many worker processes of a real embedded cluster; default: this process alone. */
  readonly workers?: number;
  /** Nonzeros a task, as far as may be; default: as the planner cuts for one worker. */
  readonly taskNonzeros?: number;
  /** In this process: what the planner takes a task's memory to be. */
  readonly memoryBytes?: number;
  /** In this process: where a stage is cut instead of where the planner would; null: as it would. */
  readonly cut?: (stage: string) => readonly TaskSpec[] | null;
  /** In this process: numbers that sort the tasks of each stage, the order in which they run. */
  readonly order?: readonly number[];
}

/**
 * For the tests of one `describe`: runs `de` in this process, the planner's reductions and one task after the other, without
 * connections, leases and processes to start. The same files as from a cluster, but for `run.json`, whose stages have no
 * times and amounts; scratch goes when the next one runs.
 *
 * @returns what runs a job to its end, and throws what it fails with
 */
export function deRunner(): (input: string, output: string, run?: DeRun) => Promise<void> {
  let shape = { slots: 1, memoryBytes: TASK_MEMORY_BYTES };
  const planner = new DePlanner(
    () => shape,
    () => {
      throw new RangeError('nobody reads results here');
    },
  );
  /** The planner's threads outlive a job as long as there is another: each is concluded when the next has begun. */
  let concludeLast = (): Promise<void> => Promise.resolve();
  afterAll(() => planner.close());
  const { signal } = new AbortController();
  const idle = (): void => undefined;
  let runs = 0;

  return async (input, output, run = {}) => {
    const { parameters, taskNonzeros, workers, memoryBytes = TASK_MEMORY_BYTES, cut, order = [] } = run;
    if (workers !== undefined) {
      const job = await runCluster(input, output, run);
      expect(job.state, job.failure?.message).toBe(JobState.SUCCEEDED);
      return;
    }
    shape = { slots: 1, memoryBytes, ...(taskNonzeros === undefined ? {} : { taskNonzeros }) };
    const id = jobId(`20261129-000000-${(++runs).toString(16).padStart(6, '0')}`);
    // As they come to a coordinator: result files keep the order.
    const asked = parametersFromWire(parametersToWire({ ...DEFAULT_DE_PARAMETERS, input, output, ...parameters }));
    const { stages, warnings } = await planner.prepare(id, { parameters: asked, existingOutput: 'refuse' });
    await concludeLast();
    concludeLast = () => planner.conclude(id, { state: 'succeeded' });
    const history = { ...NO_TIMES, stages: [] as StageHistory[], workers: [], warnings: [...warnings] };
    try {
      for (const { name, executor } of stages) {
        const stage = { ...NO_FIGURES, name, executor, tasks: executor === 'coordinator' ? 1 : 0 };
        history.stages.push(stage);
        if (executor === 'coordinator') {
          const { warnings: more } = await planner.reduce(id, name, idle, signal, () => history);
          history.warnings.push(...more);
          continue;
        }
        const specs = cut?.(name) ?? null;
        if (specs !== null) {
          // A plan that lies on scratch already is the one that is kept.
          const root = join(output, '.shardex-scratch');
          const store = openStore(join(root, (await readdir(root))[0]));
          const items = specs.map((spec, i) => ({ spec, output: SCRATCH_NAMES.task(name, i) }));
          await commitTaskPlan(store, name, items);
        }
        const tasks = await planner.planStage(id, name);
        stage.tasks = tasks.length;
        const turns = tasks.map((task, i) => ({ task, turn: order[i] ?? 0 })).sort((a, b) => a.turn - b.turn);
        for (const { task } of turns) {
          await runTask(task, { signal, progress: idle, memoryBytes: TASK_MEMORY_BYTES });
          planner.outputCommitted(id, name, task.output);
        }
      }
    } catch (error) {
      concludeLast = () => planner.conclude(id, { state: 'failed', failure: 'InvariantBroken' });
      throw error;
    }
  };
}
