import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { JobState } from '@shardex/proto';
import { describeWithPart } from '../support/required-part.js';
import { hashes, LAUNCHER, runCluster, shardex, simulatedScreen } from '../support/shardex.js';
import { SlurmCluster } from './slurm-cluster.js';
import {
  logOf,
  NODES,
  RESULTS,
  runInTwoTurns,
  runOnAllNodes,
  runOnAnArray,
  SCREEN_SIZES,
  submit,
  type Site,
} from './slurm-jobs.js';

describeWithPart({
  part: 'slurm',
  name: `a real Slurm of ${NODES} nodes`,
  probe: () => (SlurmCluster.isInstalled() ? true : null),
  reason: 'Slurm is not installed (apt-get install slurm-wlm munge), or this is not root, who has to start its daemons',
  body: () => {
    let folder: string;
    let slurm: SlurmCluster;
    let site: Site;

    beforeAll(async () => {
      // Sockets have short names, so not below the temporary folder, which may be deep.
      folder = await mkdtemp('/tmp/shardex-slurm-');
      const outside = await runCluster(await simulatedScreen(folder, SCREEN_SIZES), join(folder, 'outside'));
      expect(outside.state, outside.failure?.message).toBe(JobState.SUCCEEDED);
      slurm = await SlurmCluster.start(folder, NODES);
      const expected = await hashes(join(folder, 'outside'), RESULTS);
      // The scripts are told to call this checkout, as a site would name its installation.
      const environment = { SHARDEX: `${process.execPath} ${LAUNCHER}` };
      site = { slurm, folder, inside: folder, environment, options: [], expected };
    });
    afterAll(async () => {
      await slurm?.stop();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });

    it('runs a worker on every node of an allocation, to the same bytes as one machine', () => runOnAllNodes(site));

    it('ends with a sentence where the coordinator does not know who calls', async () => {
      // Of somebody else: nobody here has it.
      const tokens = join(folder, 'tokens');
      await writeFile(tokens, `alice submit ${'0'.repeat(64)}\n`);
      const asStranger = { ...site, environment: { ...site.environment, SHARDEX_TOKENS: tokens } };
      const command = ['shardex.sbatch', join(folder, 'screen.h5ad'), '--out', join(folder, 'refused')] as const;
      const job = await slurm.ended(await submit(asStranger, 'refused', ['--nodes=1'], command));
      const log = logOf(site, 'refused.log');
      expect(job['ExitCode'], log).toBe('2:0');
      expect(log).toContain('shardex: the coordinator does not know who calls');
      // And leaves no coordinator behind.
      expect(log).toContain('"text":"stopped"');
    });

    it(
      'stops in order when its time is nearly up, queues itself again, and goes on where it was',
      () => runInTwoTurns(site),
      400_000,
    );

    it('lets workers of a job array come and go', () => runOnAnArray(site, (...args) => shardex(args)));
  },
});
