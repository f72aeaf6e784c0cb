import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { JobState } from '@shardex/proto';
import { describeWithPart } from '../support/required-part.js';
import { hashes, LAUNCHER, runCluster, shardex } from '../support/shardex.js';
import { eventually, havePrograms } from './programs.js';
import { SlurmCluster } from './slurm-cluster.js';

const SCRIPTS = fileURLToPath(new URL('../../deploy/slurm/', import.meta.url));
const RESULTS = ['nb_glm.h5ad', 'wilcoxon.h5ad', 't_test.h5ad', 'cells.parquet'];
const NODES = 4;
/** How the scripts are told to call this checkout, as a site would name its installation. */
const PROGRAM = { SHARDEX: `${process.execPath} ${LAUNCHER}` };

interface RunRecord {
  readonly stages: readonly { readonly name: string; readonly tasks: number; readonly tasks_resumed: number }[];
}

describeWithPart({
  part: 'slurm',
  name: `a real Slurm of ${NODES} nodes`,
  probe: () =>
    process.getuid?.() === 0 && havePrograms(['slurmctld', '-V'], ['slurmd', '-V'], ['munged', '--version'])
      ? true
      : null,
  reason: 'Slurm is not installed (apt-get install slurm-wlm munge), or this is not root, who has to start its daemons',
  body: () => {
    let folder: string;
    let slurm: SlurmCluster;
    let screen: string;
    let expected: Record<string, string>;

    const log = (name: string): string =>
      existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : '';
    /** Waits until a job has come to an end. */
    const ended = (id: string): Promise<Record<string, string>> =>
      eventually(
        `the end of job ${id}`,
        async () => {
          const job = await slurm.job(id);
          return /^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL)$/.test(job['JobState'] ?? '') ? job : null;
        },
        300_000,
      );

    beforeAll(async () => {
      // Sockets have short names, so not below the temporary folder, which may be deep.
      folder = await mkdtemp('/tmp/shardex-slurm-');
      screen = join(folder, 'screen.h5ad');
      const sizes = ['--cells', '4000', '--genes', '800', '--perturbations', '20', '--depth', '2000', '--seed', '7'];
      expect((await shardex(['simulate', screen, ...sizes])).exitCode).toBe(0);
      const outside = await runCluster(screen, join(folder, 'outside'));
      expect(outside.state, outside.failure?.message).toBe(JobState.SUCCEEDED);
      expected = await hashes(join(folder, 'outside'), RESULTS);
      slurm = await SlurmCluster.start(folder, NODES);
    });
    afterAll(async () => {
      await slurm?.stop();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });

    it('runs a worker on every node of an allocation, to the same bytes as one machine', async () => {
      const options = [`--nodes=${NODES}`, '--cpus-per-task=1', `--output=${join(folder, 'whole.log')}`];
      const output = join(folder, 'whole');
      const id = await slurm.submit([...options, join(SCRIPTS, 'shardex.sbatch'), screen, '--out', output], PROGRAM);
      const job = await ended(id);
      expect(job['JobState'], log('whole.log')).toBe('COMPLETED');
      expect(await hashes(output, RESULTS)).toEqual(expected);
      expect(log('whole.log').match(/"event":"worker-registered"/g)).toHaveLength(NODES);
      // Workers took their leave: nobody killed them.
      expect(log('whole.log').match(/"text":"drained"/g)).toHaveLength(NODES);
      expect(log('whole.log')).not.toContain('srun: ');
    });

    it('ends with a sentence where the coordinator does not know who calls', async () => {
      // Of somebody else: nobody here has it.
      const tokens = join(folder, 'tokens');
      await writeFile(tokens, `alice submit ${'0'.repeat(64)}\n`);
      const options = ['--nodes=1', '--cpus-per-task=1', `--output=${join(folder, 'refused.log')}`];
      const command = [...options, join(SCRIPTS, 'shardex.sbatch'), screen, '--out', join(folder, 'refused')];
      const job = await ended(await slurm.submit(command, { ...PROGRAM, SHARDEX_TOKENS: tokens }));
      expect(job['ExitCode'], log('refused.log')).toBe('2:0');
      expect(log('refused.log')).toContain('shardex: the coordinator does not know who calls');
      // And leaves no coordinator behind.
      expect(log('refused.log')).toContain('"text":"stopped"');
    });

    it('stops in order when its time is nearly up, queues itself again, and goes on where it was', async () => {
      const output = join(folder, 'again');
      const options = ['--nodes=2', '--cpus-per-task=1', `--output=${join(folder, 'again.log')}`];
      const id = await slurm.submit([...options, join(SCRIPTS, 'shardex.sbatch'), screen, '--out', output], PROGRAM);
      await eventually('a finished scan', async () => {
        const names = await readdir(join(output, '.shardex-scratch'), { recursive: true }).catch(() => []);
        return names.some((name) => /\/scan\/\d+\.bundle$/.test(name)) ? true : null;
      });
      // What Slurm sends by --signal=B:USR1@180.
      await slurm.run('scancel', '--batch', '--signal=USR1', id);
      await eventually('the job to be queued again', async () =>
        (await slurm.job(id))['Restarts'] === '1' ? true : null,
      );
      expect(existsSync(join(output, 'run.json')), 'the run ended before it was stopped').toBe(false);
      // Slurm lets a job that was queued again wait for two minutes; once it is out of its first turn, a test need not.
      await eventually('the job to be pending', async () =>
        (await slurm.job(id))['JobState'] === 'PENDING' ? true : null,
      );
      // Not at once: a node refuses credentials of the second in which it revoked those of the first turn.
      await slurm.run('scontrol', 'update', `JobId=${id}`, 'StartTime=now+2');
      const job = await ended(id);
      expect(job['JobState'], log('again.log')).toBe('COMPLETED');
      const { stages } = JSON.parse(readFileSync(join(output, 'run.json'), 'utf8')) as RunRecord;
      expect(stages.find(({ name }) => name === 'scan')?.tasks_resumed).toBeGreaterThan(0);
      expect(await hashes(output, RESULTS)).toEqual(expected);
    }, 400_000);

    it('lets workers of a job array come and go', async () => {
      const address = join(folder, 'address');
      const coordinator = await slurm.submit(
        [
          '--cpus-per-task=1',
          `--output=${join(folder, 'coordinator.log')}`,
          join(SCRIPTS, 'coordinator.sbatch'),
          address,
        ],
        PROGRAM,
      );
      const array = ['--array=1-3', '--cpus-per-task=1', `--output=${join(folder, 'worker-%a.log')}`];
      const workers = await slurm.submit([...array, join(SCRIPTS, 'workers.sbatch'), address], PROGRAM);
      const registered = (count: number) =>
        eventually(`${count} workers`, async () =>
          (log('coordinator.log').match(/"event":"worker-registered"/g) ?? []).length >= count ? true : null,
        );
      await registered(3);
      // One of them is preempted: told to stop, queued again, and back as another worker.
      await slurm.run('scontrol', 'requeue', `${workers}_2`);
      const output = join(folder, 'array');
      const outcome = await shardex([
        'de',
        screen,
        '--out',
        output,
        '--coordinator',
        readFileSync(address, 'utf8').trim(),
      ]);
      expect(outcome.exitCode, outcome.stderr).toBe(0);
      expect(await hashes(output, RESULTS)).toEqual(expected);
      await slurm.run('scancel', workers);
      await slurm.run('scancel', '--batch', '--signal=TERM', coordinator);
      expect((await ended(coordinator))['ExitCode']).toBe('0:0');
      expect(existsSync(address)).toBe(false);
    });
  },
});
