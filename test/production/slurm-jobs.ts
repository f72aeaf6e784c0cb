import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { hashes, type CliOutcome } from '../support/shardex.js';
import { eventually } from './programs.js';
import type { SlurmCluster } from './slurm-cluster.js';

const SCRIPTS = fileURLToPath(new URL('../../deploy/slurm/', import.meta.url));
export const RESULTS = ['nb_glm.h5ad', 'wilcoxon.h5ad', 't_test.h5ad', 'cells.parquet'];
export const NODES = 4;
/** For a run of some seconds, so that there is something to stop. */
export const SCREEN_SIZES = '--cells 4000 --genes 800 --perturbations 20 --depth 2000 --seed 7';

/** How somebody uses the scripts of deploy/slurm. */
export interface Site {
  readonly slurm: SlurmCluster;
  /** For logs and results, by the name that this process and the scripts know. */
  readonly folder: string;
  /** The same by the name that the program knows. */
  readonly inside: string;
  /** What a submission gets besides, as `SHARDEX`. */
  readonly environment: NodeJS.ProcessEnv;
  /** Options of every `sbatch`. */
  readonly options: readonly string[];
  /** Hashes of the results of screen.h5ad in `folder`. */
  readonly expected: Readonly<Record<string, string>>;
}

export const logOf = ({ folder }: Site, name: string): string =>
  existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : '';

/** Submits a script of deploy/slurm; its log has the job's name. @returns the job's number */
export function submit(
  { slurm, folder, environment, options }: Site,
  name: string,
  jobOptions: readonly string[],
  [script, ...args]: readonly [string, ...string[]],
): Promise<string> {
  const log = `--output=${join(folder, `${name}.log`)}`;
  return slurm.submit(
    [...options, ...jobOptions, '--cpus-per-task=1', log, join(SCRIPTS, script), ...args],
    environment,
  );
}

const submitRun = (site: Site, name: string, nodes: number): Promise<string> => {
  const command = ['shardex.sbatch', join(site.inside, 'screen.h5ad'), '--out', join(site.inside, name)] as const;
  return submit(site, name, [`--nodes=${nodes}`], command);
};

/** A worker on every node of an allocation, to the same bytes as one machine. */
export async function runOnAllNodes(site: Site): Promise<void> {
  const job = await site.slurm.ended(await submitRun(site, 'whole', NODES));
  const log = logOf(site, 'whole.log');
  expect(job['JobState'], log).toBe('COMPLETED');
  expect(await hashes(join(site.folder, 'whole'), RESULTS)).toEqual(site.expected);
  expect(log.match(/"event":"worker-registered"/g)).toHaveLength(NODES);
  // Workers took their leave: nobody killed them.
  expect(log.match(/"text":"drained"/g)).toHaveLength(NODES);
  expect(log).not.toContain('srun: ');
}

/** A run that stops in order when its time is nearly up, queues itself again, and goes on where it was. */
export async function runInTwoTurns(site: Site): Promise<void> {
  const { slurm } = site;
  const output = join(site.folder, 'again');
  const id = await submitRun(site, 'again', 2);
  await eventually('a finished scan', async () => {
    const names = await readdir(join(output, '.shardex-scratch'), { recursive: true }).catch(() => []);
    return names.some((name) => /\/scan\/\d+\.bundle$/.test(name)) ? true : null;
  });
  // What Slurm sends by --signal=B:USR1@180.
  await slurm.run('scancel', '--batch', '--signal=USR1', id);
  await eventually('the job to be queued again', async () => ((await slurm.job(id))['Restarts'] === '1' ? true : null));
  expect(existsSync(join(output, 'run.json')), 'the run ended before it was stopped').toBe(false);
  // Slurm lets a job that was queued again wait for two minutes; once it is out of its first turn, a test need not.
  await eventually('the job to be pending', async () =>
    (await slurm.job(id))['JobState'] === 'PENDING' ? true : null,
  );
  // Not at once: a node refuses credentials of the second in which it revoked those of the first turn.
  await slurm.run('scontrol', 'update', `JobId=${id}`, 'StartTime=now+2');
  const job = await slurm.ended(id);
  expect(job['JobState'], logOf(site, 'again.log')).toBe('COMPLETED');
  const { stages } = JSON.parse(readFileSync(join(output, 'run.json'), 'utf8')) as {
    readonly stages: readonly { readonly name: string; readonly tasks_resumed: number }[];
  };
  expect(stages.find(({ name }) => name === 'scan')?.tasks_resumed).toBeGreaterThan(0);
  expect(await hashes(output, RESULTS)).toEqual(site.expected);
}

/**
 * Workers of a job array that come and go: one of them is preempted in the midst of a run.
 *
 * @param call - somebody's `shardex`, outside of Slurm
 */
export async function runOnAnArray(
  site: Site,
  call: (...args: readonly string[]) => Promise<CliOutcome>,
): Promise<void> {
  const { slurm } = site;
  const address = join(site.folder, 'address');
  const coordinator = await submit(site, 'coordinator', [], ['coordinator.sbatch', address]);
  const workers = await submit(site, 'worker-%a', ['--array=1-3'], ['workers.sbatch', address]);
  await eventually('three workers', async () =>
    (logOf(site, 'coordinator.log').match(/"event":"worker-registered"/g) ?? []).length >= 3 ? true : null,
  );
  const command = ['de', join(site.inside, 'screen.h5ad'), '--out', join(site.inside, 'array')];
  const run = call(...command, '--coordinator', readFileSync(address, 'utf8').trim());
  await eventually('a task of the second worker', async () =>
    logOf(site, 'worker-2.log').includes('"text":"task completed"') ? true : null,
  );
  // Told to stop, queued again, and back as another worker.
  await slurm.run('scontrol', 'requeue', `${workers}_2`);
  const outcome = await run;
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  expect(await hashes(join(site.folder, 'array'), RESULTS)).toEqual(site.expected);
  await slurm.run('scancel', workers);
  await slurm.run('scancel', '--batch', '--signal=TERM', coordinator);
  expect((await slurm.ended(coordinator))['ExitCode']).toBe('0:0');
  expect(existsSync(address)).toBe(false);
  // It took its leave, and nothing was lost.
  expect(logOf(site, 'worker-2.log')).toContain('"text":"drained"');
  expect(logOf(site, 'worker-2.log')).not.toContain('"text":"task failed"');
}
