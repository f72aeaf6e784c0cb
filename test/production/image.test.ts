import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { JobState } from '@shardex/proto';
import { describeWithPart } from '../support/required-part.js';
import { hashes, runCluster, simulatedScreen } from '../support/shardex.js';
import { baseImages, buildImage, podman } from './built-image.js';
import { eventually, freePort } from './programs.js';

const IMAGE = `localhost/shardex-test:${process.pid}`;
const RESULTS = ['nb_glm.h5ad', 'wilcoxon.h5ad', 't_test.h5ad', 'cells.parquet'];
/** How deploy/compose.yaml and the chart run it. */
const HARDENED = ['--read-only', '--tmpfs', '/tmp', '--cap-drop', 'all', '--security-opt', 'no-new-privileges'];

/** @returns what it wrote to standard output */
async function succeed(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await podman(...args);
  expect(exitCode, `podman ${args.join(' ')}\n${stdout}${stderr}`).toBe(0);
  return stdout.trim();
}

describeWithPart({
  part: 'containers',
  name: 'the image',
  probe: baseImages,
  reason:
    'podman, or the images that SHARDEX_TEST_BASE_IMAGES names, are absent (test/production/container-bases.sh makes them)',
  body: (bases) => {
    let folder: string;
    const containers: string[] = [];

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
      await buildImage(IMAGE, bases);
    }, 900_000);
    afterAll(async () => {
      for (const name of containers) await podman('rm', '--force', '--time', '0', name);
      await podman('rmi', '--force', IMAGE);
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });

    const run = (name: string, options: readonly string[], command: readonly string[]): Promise<string> => {
      containers.push(name);
      const where = ['--network', 'host', '--volume', `${folder}:/data`];
      return succeed('run', '--detach', '--name', name, ...HARDENED, ...where, ...options, IMAGE, ...command);
    };

    it('says who it is, and is not root', async () => {
      expect(await succeed('run', '--rm', '--network', 'none', ...HARDENED, IMAGE, '--version')).toMatch(
        /^\d+\.\d+\.\d+$/,
      );
      const config = JSON.parse(await succeed('image', 'inspect', '--format', '{{json .Config}}', IMAGE)) as {
        User: string;
        Labels: Record<string, string>;
      };
      expect(config.User).toBe('65532:65532');
      expect(config.Labels['org.opencontainers.image.title']).toBe('shardex');
    });

    it('holds neither build tools nor sources', async () => {
      const script = [
        'for tool in npm npx tsc make gcc cc python3 git curl; do command -v $tool; done',
        'find /app -name "*.ts" -not -path "*/node_modules/*"',
        'find /app -name "*.d.ts"',
        'ls -d /app/node_modules/typescript /app/node_modules/vitest /app/node_modules/assemblyscript 2>/dev/null',
        'true',
      ].join('\n');
      const options = ['--network', 'none', ...HARDENED, '--entrypoint', 'sh'];
      expect(await succeed('run', '--rm', ...options, IMAGE, '-c', script)).toBe('');
    });

    it('runs a cluster on a read-only root, healthy, to the same bytes as outside, and drains when stopped', async () => {
      const screen = await simulatedScreen(folder);
      const outside = await runCluster(screen, join(folder, 'outside'));
      expect(outside.state, outside.failure?.message).toBe(JobState.SUCCEEDED);
      await chmod(folder, 0o777);
      const [port, metricsPort, healthPort] = [await freePort(), await freePort(), await freePort()];
      const [coordinator, worker] = [`shardex-coordinator-${process.pid}`, `shardex-worker-${process.pid}`];
      const address = `127.0.0.1:${port}`;
      await run(
        coordinator,
        ['--env', `SHARDEX_LISTEN=${address}`, '--env', `SHARDEX_METRICS_PORT=${metricsPort}`],
        ['coordinator'],
      );
      await run(
        worker,
        ['--env', `SHARDEX_COORDINATOR=${address}`, '--env', `SHARDEX_HEALTH_PORT=${healthPort}`],
        ['worker', '--threads', '1', '--memory', '1GiB'],
      );
      for (const name of [coordinator, worker]) {
        await eventually(`${name} to be healthy`, async () => {
          const { exitCode } = await podman('healthcheck', 'run', name);
          return exitCode === 0 ? true : null;
        });
      }
      const job = ['de', '/data/screen.h5ad', '--out', '/data/inside', '--coordinator', address];
      await succeed('run', '--rm', ...HARDENED, '--network', 'host', '--volume', `${folder}:/data`, IMAGE, ...job);
      expect(await hashes(join(folder, 'inside'), RESULTS)).toEqual(await hashes(join(folder, 'outside'), RESULTS));

      await succeed('stop', '--time', '60', worker);
      expect(await succeed('inspect', '--format', '{{.State.ExitCode}}', worker)).toBe('0');
      expect((await podman('logs', worker)).stderr).toContain('"text":"drained"');
      await succeed('stop', '--time', '60', coordinator);
      expect(await succeed('inspect', '--format', '{{.State.ExitCode}}', coordinator)).toBe('0');
    });
  },
});
