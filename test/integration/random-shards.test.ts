import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DePlanner } from '@shardex/coordinator/planner';
import { commitTaskPlan, SCRATCH_NAMES, type TaskSpec } from '@shardex/shared/artifacts';
import { DEFAULT_DE_PARAMETERS, type DeParameters } from '@shardex/shared/config';
import { jobId } from '@shardex/shared/ids';
import { openStore } from '@shardex/shared/storage';
import { runTask } from '@shardex/worker/tasks';
import { hashes, shardex } from '../support/shardex.js';

const CELLS = 240;
const GENES = 30;
const PERTURBATIONS = 6;
const FILES = ['nb_glm.h5ad', 'wilcoxon.h5ad', 't_test.h5ad', 'cells.parquet'];
const MEMORY_BYTES = 2 ** 26;
/** Too little to read rows ahead, or to keep the control's columns from one fit to the next. */
const TIGHT_BYTES = 2 ** 10;
/** A sharding takes about a second. */
const RUNS = 12;

/** Where each stage is cut, in which order its tasks run (numbers that sort them), and with how much memory. */
interface Sharding {
  readonly scan: readonly number[];
  readonly control: readonly number[];
  readonly dispersion: readonly number[];
  readonly fit: readonly number[];
  readonly order: readonly number[];
  readonly memoryBytes: number;
}

const cuts = (begin: number, end: number): fc.Arbitrary<number[]> =>
  fc
    .uniqueArray(fc.integer({ min: begin + 1, max: end - 1 }), { maxLength: 7 })
    .map((inner) => [begin, ...inner.sort((a, b) => a - b), end]);

const sharding: fc.Arbitrary<Sharding> = fc.record({
  scan: cuts(0, CELLS),
  control: cuts(0, GENES),
  dispersion: cuts(0, PERTURBATIONS + 1),
  fit: cuts(1, PERTURBATIONS + 1),
  order: fc.array(fc.nat(), { minLength: 8, maxLength: 8 }),
  memoryBytes: fc.constantFrom(MEMORY_BYTES, TIGHT_BYTES),
});
const WHOLE: Sharding = {
  scan: [0, CELLS],
  control: [0, GENES],
  dispersion: [0, PERTURBATIONS + 1],
  fit: [1, PERTURBATIONS + 1],
  order: [],
  memoryBytes: MEMORY_BYTES,
};

function specsOf(stage: string, { scan, control, dispersion, fit }: Sharding): TaskSpec[] {
  const between = (at: readonly number[], make: (begin: number, end: number) => TaskSpec): TaskSpec[] =>
    at.slice(1).map((end, i) => make(at[i], end));
  switch (stage) {
    case 'scan':
      return between(scan, (rowBegin, rowEnd) => ({ kind: 'scan', rowBegin, rowEnd }));
    case 'control':
      return between(control, (geneBegin, geneEnd) => ({ kind: 'control', geneBegin, geneEnd }));
    case 'dispersion':
      return between(dispersion, (groupBegin, groupEnd) => ({ kind: 'dispersion', groupBegin, groupEnd }));
    default:
      return between(fit, (groupBegin, groupEnd) => ({ kind: 'fit', groupBegin, groupEnd }));
  }
}

describe('any sharding, merged, equals the whole', () => {
  let folder: string;
  let input: string;
  let runs = 0;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
    input = join(folder, 'screen.h5ad');
    const sizes = `--cells ${CELLS} --genes ${GENES} --perturbations ${PERTURBATIONS} --depth 90 --seed 5`;
    const simulated = await shardex(['simulate', input, ...sizes.split(' '), '--quiet']);
    expect(simulated.exitCode, simulated.stderr).toBe(0);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Runs a job whose stages are cut as told: a plan that lies on scratch already is the one that is kept. */
  async function run(how: Sharding, options: Partial<DeParameters>): Promise<Record<string, string>> {
    const output = join(folder, `out-${++runs}`);
    const planner = new DePlanner(
      () => ({ slots: 1, memoryBytes: how.memoryBytes }),
      () => {
        throw new RangeError('nobody reads results here');
      },
    );
    const id = jobId(`20261129-000000-${runs.toString(16).padStart(6, '0')}`);
    // Against the rest the control is tested as the others are.
    const cut = options.reference === 'rest' ? { ...how, fit: [0, ...how.fit.slice(1)] } : how;
    const { signal } = new AbortController();
    const idle = (): void => undefined;
    try {
      const parameters = { ...DEFAULT_DE_PARAMETERS, ...options, input, output };
      const { stages } = await planner.prepare(id, { parameters, existingOutput: 'refuse' });
      const root = join(output, '.shardex-scratch');
      const store = openStore(join(root, (await readdir(root))[0]));
      for (const { name, executor } of stages) {
        if (executor === 'coordinator') {
          await planner.reduce(id, name, idle, signal, () => ({
            submittedUnixMs: 0,
            startedUnixMs: 0,
            stages: [],
            workers: [],
            warnings: [],
          }));
          continue;
        }
        const items = specsOf(name, cut).map((spec, i) => ({ spec, output: SCRATCH_NAMES.task(name, i) }));
        await commitTaskPlan(store, name, items);
        const tasks = await planner.planStage(id, name);
        expect(tasks.map(({ spec }) => spec)).toEqual(items.map(({ spec }) => spec));
        const turns = tasks.map((task, i) => ({ task, turn: how.order[i] ?? 0 })).sort((a, b) => a.turn - b.turn);
        for (const { task } of turns) await runTask(task, { signal, progress: idle, memoryBytes: MEMORY_BYTES });
      }
      await planner.conclude(id, { state: 'succeeded' });
      return await hashes(output, FILES);
    } finally {
      await planner.close();
    }
  }

  it.each<readonly [string, number, Partial<DeParameters>]>([
    ['as it is by default', RUNS, {}],
    [
      'against the rest, by dispersions of each comparison',
      RUNS / 3,
      { reference: 'rest', dispersionScope: 'per-comparison' },
    ],
  ])('%s', async (_, numRuns, options) => {
    const expected = await run(WHOLE, options);
    await fc.assert(
      fc.asyncProperty(sharding, async (how) => {
        expect(await run(how, options)).toEqual(expected);
      }),
      { seed: 7, numRuns, endOnFailure: true },
    );
  });
});
