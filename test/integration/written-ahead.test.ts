import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { DePlanner } from '@shardex/coordinator/planner';
import { commitTaskPlan, SCRATCH_NAMES } from '@shardex/shared/artifacts';
import { DEFAULT_DE_PARAMETERS } from '@shardex/shared/config';
import { jobId, type JobId } from '@shardex/shared/ids';
import { openStore } from '@shardex/shared/storage';
import { createLogger, type Logger } from '@shardex/shared/telemetry';
import { runTask } from '@shardex/worker/tasks';
import { openDescriptors } from '../chaos/leaks.js';
import { hashes, shardex } from '../support/shardex.js';

const FILES = ['nb_glm.h5ad', 'wilcoxon.h5ad', 't_test.h5ad', 'cells.parquet'];
const PERTURBATIONS = 9;
const MEMORY_BYTES = 2 ** 26;
const HISTORY = { submittedUnixMs: 0, startedUnixMs: 0, stages: [], workers: [], warnings: [] };
const WHILE_IT_TAKES = { timeout: 30_000, interval: 20 };

let folder: string;
let input: string;
let planner: DePlanner;
let runs = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
  input = join(folder, 'screen.h5ad');
  const sizes = `--cells 300 --genes 40 --perturbations ${PERTURBATIONS} --depth 90 --seed 5`;
  const simulated = await shardex(['simulate', input, ...sizes.split(' '), '--quiet']);
  expect(simulated.exitCode, simulated.stderr).toBe(0);
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(() => planner.close());

function newPlanner(logger: Logger | null = null): void {
  const cluster = { slots: 1, memoryBytes: MEMORY_BYTES };
  planner = new DePlanner(
    () => cluster,
    () => {
      throw new RangeError('nobody reads results here');
    },
    logger,
  );
}

const { signal } = new AbortController();
const idle = (): void => undefined;

/** A job whose three fits are planned, and done, but for what the planner is told of them. */
interface FittedJob {
  readonly id: JobId;
  readonly output: string;
  readonly fits: readonly string[];
}

async function fittedJob(): Promise<FittedJob> {
  const output = join(folder, `out-${++runs}`);
  const id = jobId(`20261129-000000-${runs.toString(16).padStart(6, '0')}`);
  const parameters = { ...DEFAULT_DE_PARAMETERS, input, output };
  const { stages } = await planner.prepare(id, { parameters, existingOutput: 'refuse' });
  const root = join(output, '.shardex-scratch');
  const store = openStore(join(root, (await readdir(root))[0]));
  const fits = [1, 4, 7].map((groupBegin, i) => {
    return {
      spec: { kind: 'fit', groupBegin, groupEnd: groupBegin + 3 },
      output: SCRATCH_NAMES.task('fit', i),
    } as const;
  });
  await commitTaskPlan(store, 'fit', fits);
  for (const { name, executor } of stages.filter((stage) => stage.name !== 'merge')) {
    if (executor === 'coordinator') await planner.reduce(id, name, idle, signal, () => HISTORY);
    else
      for (const task of await planner.planStage(id, name))
        await runTask(task, { signal, progress: idle, memoryBytes: MEMORY_BYTES });
  }
  return { id, output, fits: fits.map((fit) => fit.output) };
}

const hidden = async (output: string): Promise<string[]> =>
  (await readdir(output)).filter((name) => name.endsWith('.partial'));

/** Waits until the files are there. @returns one of them */
async function isBegun({ output }: FittedJob): Promise<string> {
  return vi.waitFor(async () => {
    const names = await hidden(output);
    expect(names).toHaveLength(FILES.length);
    return join(output, names.find((name) => name.startsWith('.nb_glm')) ?? '');
  }, WHILE_IT_TAKES);
}

/** Tells of a fit output and waits until its rows are in the file. */
async function tell({ id }: FittedJob, file: string, fit: string): Promise<void> {
  const before = await readFile(file);
  planner.outputCommitted(id, 'fit', fit);
  await vi.waitFor(async () => expect(before.equals(await readFile(file))).toBe(false), WHILE_IT_TAKES);
}

async function merge({ id, output }: FittedJob): Promise<Record<string, string>> {
  await planner.reduce(id, 'merge', idle, signal, () => HISTORY);
  await planner.conclude(id, { state: 'succeeded' });
  expect((await readdir(output)).sort()).toEqual([...FILES, 'run.json'].sort());
  return hashes(output, FILES);
}

describe('results that are written while fits run', () => {
  let expected: Record<string, string>;
  beforeAll(async () => {
    newPlanner();
    expected = await merge(await fittedJob());
    await planner.close();
  });

  it.each([[[0, 1, 2]], [[2, 1, 0]], [[1]]])('are the same bytes when fits come in the order %j', async (order) => {
    newPlanner();
    const job = await fittedJob();
    const file = await isBegun(job);
    for (const i of order) await tell(job, file, job.fits[i]);
    expect(await merge(job)).toEqual(expected);
  });

  it('are of two jobs at a time; those of a third one wait for their merge, and nobody waits for them', async () => {
    newPlanner();
    const jobs = [await fittedJob(), await fittedJob(), await fittedJob()];
    const files = [await isBegun(jobs[0]), await isBegun(jobs[1])];
    expect(await hidden(jobs[2].output)).toEqual([]);
    for (const fit of jobs[2].fits) planner.outputCommitted(jobs[2].id, 'fit', fit);
    expect(await merge(jobs[2])).toEqual(expected);
    await tell(jobs[0], files[0], jobs[0].fits[0]);
    expect(await merge(jobs[0])).toEqual(expected);
    expect(await merge(jobs[1])).toEqual(expected);
  });

  it('are the same bytes, and one line in the log, when a fit output cannot be read ahead', async () => {
    const lines: string[] = [];
    newPlanner(createLogger({ level: 'warn', name: 'coordinator', stream: { write: (line) => lines.push(line) } }));
    const job = await fittedJob();
    await tell(job, await isBegun(job), job.fits[0]);
    for (const lost of ['fit/lost.bundle', 'fit/lost-too.bundle']) planner.outputCommitted(job.id, 'fit', lost);
    await vi.waitFor(() => expect(lines).toHaveLength(1), WHILE_IT_TAKES);
    expect(await hidden(job.output)).toEqual([]);
    expect(await merge(job)).toEqual(expected);
    const line = { job: job.id, reason: expect.stringContaining('fit/lost.bundle') as string };
    expect(lines.map((text) => JSON.parse(text) as unknown)).toEqual([expect.objectContaining(line)]);
  });

  it.each<readonly [string, (job: FittedJob) => Promise<void>]>([
    ['a job that is cancelled', ({ id }) => planner.conclude(id, { state: 'cancelled' })],
    ['a job that fails', ({ id }) => planner.conclude(id, { state: 'failed', failure: 'InvariantBroken' })],
    ['a coordinator that stops', () => planner.close()],
  ])('leave nothing of %s', async (_, end) => {
    newPlanner();
    const job = await fittedJob();
    await tell(job, await isBegun(job), job.fits[1]);
    planner.outputCommitted(job.id, 'fit', job.fits[2]);
    await end(job);
    expect((await readdir(job.output)).filter((name) => name !== '.shardex-scratch')).toEqual([]);
    const open = openDescriptors(process.pid).filter((target) => target.includes('.partial'));
    expect(open).toEqual([]);
  });
});
