import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { JobState } from '@shardex/proto';
import { describeWithPart } from '../support/required-part.js';
import { hashes, runCluster, simulatedScreen } from '../support/shardex.js';
import { baseImages, buildImage, podman } from './built-image.js';
import { runProgram, type ProgramOutcome } from './programs.js';
import { SlurmCluster } from './slurm-cluster.js';
import {
  logOf,
  NODES,
  RESULTS,
  runInTwoTurns,
  runOnAllNodes,
  runOnAnArray,
  SCREEN_SIZES,
  type Site,
} from './slurm-jobs.js';

const IMAGE = `localhost/shardex-test-apptainer:${process.pid}`;
/** The folder with a program of this name. */
const PROGRAM = fileURLToPath(new URL('./apptainer/bin/', import.meta.url));
/** Users of clusters are never root. This one has no home to write to either. */
const USER = { name: 'nobody', group: 'nogroup', uid: 65_534, gid: 65_534 };
/** As docs/install.md says. */
const SHARDEX = 'apptainer run --bind /shared /shared/shardex';

interface Found {
  readonly bases: NonNullable<ReturnType<typeof baseImages>>;
  /** Made by apptainer/root.sh. */
  readonly root: string;
}

function found(): Found | null {
  const bases = baseImages();
  const root = process.env['SHARDEX_APPTAINER'];
  return bases !== null && root !== undefined && SlurmCluster.isInstalled() ? { bases, root } : null;
}

describeWithPart({
  part: 'apptainer',
  name: 'the image under Apptainer, for a user without rights',
  probe: found,
  reason:
    'SHARDEX_APPTAINER names no folder made by test/production/apptainer/root.sh, or the parts containers and slurm are absent',
  body: ({ bases, root }) => {
    let folder: string;
    let shared: string;
    let slurm: SlurmCluster;
    let site: Site;

    /** A line as the user types it in the folder that Apptainer knows as /shared. */
    const typed = (line: string): Promise<ProgramOutcome> => {
      const asUser = [`--reuid=${USER.uid}`, `--regid=${USER.gid}`, '--clear-groups'];
      const { environment } = site;
      return runProgram('setpriv', [...asUser, 'sh', '-c', line], { cwd: shared, environment });
    };
    const succeed = async (line: string): Promise<string> => {
      const { exitCode, stdout, stderr } = await typed(line);
      expect(exitCode, `${line}\n${stdout}${stderr}`).toBe(0);
      return `${stdout}${stderr}`;
    };

    beforeAll(async () => {
      folder = await mkdtemp('/tmp/shardex-apptainer-');
      shared = join(folder, 'shared');
      const own = join(folder, 'root');
      const daemons = join(folder, 'slurm');
      for (const place of [shared, daemons]) await mkdir(place);
      for (const place of [folder, daemons]) await chmod(place, 0o755);
      // Not from where it is kept, which may be the home of root.
      await runProgram('cp', ['--archive', root, own]);
      const outside = await runCluster(await simulatedScreen(shared, SCREEN_SIZES), join(folder, 'outside'));
      expect(outside.state, outside.failure?.message).toBe(JobState.SUCCEEDED);
      await chown(shared, USER.uid, USER.gid);
      slurm = await SlurmCluster.start(daemons, NODES);
      site = {
        slurm,
        folder: shared,
        inside: '/shared',
        environment: {
          SHARDEX,
          SHARDEX_APPTAINER: own,
          SHARDEX_APPTAINER_SHARED: shared,
          PATH: [PROGRAM, process.env['PATH']].join(delimiter),
          // The same words, and half of the time.
          APPTAINER_MKSQUASHFS_ARGS: '-Xcompression-level 1',
          // Whoever runs the tests may have one of his own.
          TMPDIR: '/tmp',
          // Of this machine, and no file in there.
          NODE_EXTRA_CA_CERTS: undefined,
        },
        options: [`--uid=${USER.name}`, `--gid=${USER.group}`, '--chdir=/tmp', '--mem=900M'],
        expected: await hashes(join(folder, 'outside'), RESULTS),
      };
      await buildImage(IMAGE, bases);
      const saved = await podman('save', '--quiet', '--output', join(shared, 'shardex.tar'), IMAGE);
      expect(saved.exitCode, saved.stderr).toBe(0);
    }, 900_000);
    afterAll(async () => {
      await slurm?.stop();
      await podman('rmi', '--force', IMAGE);
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });

    it('is one file that computes the same bytes as outside', async () => {
      await succeed('apptainer build shardex.sif docker-archive:shardex.tar');
      expect(await succeed('apptainer --quiet run shardex.sif --version')).toMatch(/^\d+\.\d+\.\d+\n$/);
      await succeed('apptainer run --bind /shared shardex.sif de /shared/screen.h5ad --out /shared/file');
      expect(await hashes(join(shared, 'file'), RESULTS)).toEqual(site.expected);
    });

    it('is a folder, whose files are those of --bind', async () => {
      await succeed('apptainer build --sandbox shardex docker-archive:shardex.tar');
      expect(await succeed(`${SHARDEX} --version`)).toMatch(/^\d+\.\d+\.\d+\n$/);
      expect((await typed('apptainer run /shared/shardex inspect /shared/screen.h5ad')).stderr).toBe(
        'shardex: opening /shared/screen.h5ad: no such file or directory: check the path\n',
      );
    });

    it('runs on every node of an allocation of Slurm, with the cores and the memory that Slurm gives', async () => {
      await runOnAllNodes(site);
      const limits = /"cores":\{"value":1,"source":"slurm"\},"memory":\{"value":943718400,"source":"slurm"\}/g;
      expect(logOf(site, 'whole.log').match(limits)).toHaveLength(NODES);
    });

    it(
      'stops in order when its time is nearly up, queues itself again, and goes on where it was',
      () => runInTwoTurns(site),
      400_000,
    );

    it('drains where Slurm preempts a worker', () =>
      runOnAnArray(site, (...args) => typed([SHARDEX, ...args].join(' '))));
  },
});
