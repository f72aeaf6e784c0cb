import { readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { JobState } from '@shardex/proto';
import { describeWithPart } from '../support/required-part.js';
import { hashes, runCluster, simulatedScreen } from '../support/shardex.js';
import { versitygwBinary } from '../support/versitygw.js';
import { baseImages } from './built-image.js';
import { DockerEngine } from './docker-engine.js';
import { eventually, havePrograms } from './programs.js';

const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url));
const RESULTS = ['nb_glm.h5ad', 'wilcoxon.h5ad', 't_test.h5ad', 'cells.parquet'];

const composeText = readFileSync(join(DEPLOY, 'compose.yaml'), 'utf8');
const compose = parse(composeText, { merge: true }) as { services: Record<string, { image: string }> };
const imageOf = (service: string): string => compose.services[service]?.image ?? '';
/** What the first lines of the file tell people to type, by what it begins with. */
const commandOf = (start: string): string =>
  /^# {3}(.+)$/m.exec(composeText.slice(composeText.indexOf(`#   docker compose ${start}`)))?.[1] ?? '';

/** The images that the Containerfile begins with when nobody names others. */
function defaultBases(): { readonly node: string; readonly debian: string } {
  const containerfile = readFileSync(join(DEPLOY, 'Containerfile'), 'utf8');
  const valueOf = (name: string): string => new RegExp(`^ARG ${name}=(.+)$`, 'm').exec(containerfile)?.[1] ?? '';
  return { node: valueOf('BUILD_IMAGE'), debian: valueOf('RUNTIME_IMAGE') };
}

function findParts() {
  const plugin = process.env['SHARDEX_DOCKER_COMPOSE'] ?? '';
  const [bases, versitygw] = [baseImages(), versitygwBinary()];
  const isThere =
    process.getuid?.() === 0 &&
    plugin !== '' &&
    havePrograms(
      [plugin, 'version'],
      ['docker', '--version'],
      ['dockerd', '--version'],
      ['slirp4netns', '--version'],
    ) &&
    havePrograms(['prometheus', '--version'], ['promtool', '--version']);
  return isThere && bases !== null && versitygw !== null ? { plugin, bases, versitygw } : null;
}

describeWithPart({
  part: 'docker',
  name: 'deploy/compose.yaml on a real Docker engine',
  probe: findParts,
  reason:
    'docker, dockerd, slirp4netns, prometheus or versitygw are absent, SHARDEX_DOCKER_COMPOSE names no Docker Compose, podman has not the images of ' +
    'SHARDEX_TEST_BASE_IMAGES, or this is not root, who has to start the engine',
  body: ({ plugin, bases, versitygw }) => {
    let folder: string;
    let data: string;
    let expected: Record<string, string>;
    let engine: DockerEngine;

    const typed = (line: string): Promise<string> =>
      engine.typed(line, DEPLOY, { SHARDEX_DATA: data, S3_SECRET_KEY: 'a-secret', GRAFANA_PASSWORD: 'another' });
    /** The containers of a service, as Docker sees them. */
    const containersOf = async (service: string) => {
      const ids = (await typed(`docker compose ps --all --quiet ${service}`)).trim().split('\n');
      return JSON.parse(await engine.docker('inspect', ...ids)) as {
        readonly Id: string;
        readonly State: {
          readonly Status: string;
          readonly ExitCode: number;
          readonly Health?: { readonly Status: string };
        };
        readonly Config: { readonly User: string };
        readonly HostConfig: { readonly ReadonlyRootfs: boolean; readonly CapDrop: readonly string[] };
      }[];
    };

    beforeAll(async () => {
      // Sockets have short names, so not below the temporary folder, which may be deep.
      folder = await mkdtemp('/tmp/shardex-docker-');
      data = join(folder, 'data');
      await mkdir(data);
      const outside = await runCluster(await simulatedScreen(data), join(folder, 'outside'));
      expect(outside.state, outside.failure?.message).toBe(JobState.SUCCEEDED);
      expected = await hashes(join(folder, 'outside'), RESULTS);
      await chmod(data, 0o777);
      await mkdir(join(folder, 'engine'));
      engine = await DockerEngine.start(join(folder, 'engine'), plugin);
      const { node, debian } = defaultBases();
      await engine.importImages({ [bases.node]: node, [bases.debian]: debian });
      const made = { base: debian, programs: [] };
      await engine.make({
        ...made,
        tag: imageOf('s3'),
        programs: [versitygw],
        instructions: ['ENTRYPOINT ["versitygw"]'],
      });
      await engine.make({
        ...made,
        tag: imageOf('prometheus'),
        programs: ['prometheus', 'promtool'],
        instructions: ['RUN mkdir /prometheus && chown nobody /prometheus', 'USER nobody', 'ENTRYPOINT ["prometheus"]'],
      });
      // Not Grafana, which is not to be had without a registry: somebody with its number who looks at what is mounted for it.
      await engine.make({
        ...made,
        tag: imageOf('grafana'),
        instructions: ['USER 472', 'ENTRYPOINT ["sleep", "infinity"]'],
      });
      await typed(commandOf('up'));
    }, 900_000);
    afterAll(async () => {
      await engine?.stop();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    }, 300_000);

    it('is up by the line at its top, healthy, on a read-only root and without rights', async () => {
      const parts = await eventually('health', async () => {
        const found = [...(await containersOf('coordinator')), ...(await containersOf('worker'))];
        return found.every(({ State }) => State.Health?.Status === 'healthy') ? found : null;
      });
      expect(parts).toHaveLength(3);
      for (const { Config, HostConfig } of parts) {
        expect(Config.User).toBe('65532:65532');
        expect(HostConfig).toMatchObject({ ReadonlyRootfs: true, CapDrop: ['ALL'] });
      }
      for (const service of ['s3', 'prometheus', 'grafana']) {
        expect((await containersOf(service)).map(({ State }) => State.Status)).toEqual(['running']);
      }
    });

    it('runs a job by the line at its top, to the same bytes as outside', async () => {
      await typed(commandOf('run'));
      expect(await hashes(join(data, 'results'), RESULTS)).toEqual(expected);
    });

    it('runs a job on its object storage', async () => {
      await typed('docker compose exec s3 mkdir /buckets/screens');
      const job = 'de /data/screen.h5ad --out s3://screens/results --coordinator coordinator:7443';
      await typed(`docker compose run --rm shardex ${job}`);
      const sums = await typed(
        `docker compose exec --workdir /buckets/screens/results s3 sha256sum ${RESULTS.join(' ')}`,
      );
      const found = sums
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/\s+/));
      expect(Object.fromEntries(found.map(([sum, name]) => [name, sum]))).toEqual(expected);
    });

    it('runs a command in a container by itself', async () => {
      const way = ['run', '--rm', '--read-only', '--tmpfs', '/tmp', '--volume', `${data}:/shared`];
      await engine.docker(...way, 'shardex', 'de', '/shared/screen.h5ad', '--out', '/shared/alone');
      expect(await hashes(join(data, 'alone'), RESULTS)).toEqual(expected);
    });

    it('has a Prometheus that scrapes every process, with the alerts, where Grafana is told to ask', async () => {
      const { datasources } = parse(
        await typed('docker compose exec grafana cat /etc/grafana/provisioning/datasources/prometheus.yaml'),
      ) as { datasources: { type: string; url: string }[] };
      expect(datasources).toMatchObject([{ type: 'prometheus' }]);
      const ask = `docker compose exec prometheus promtool query instant ${datasources[0]?.url} 'up == 1'`;
      const up = await eventually('three targets', async () => {
        const lines = (await typed(ask)).trim().split('\n');
        return lines.length === 3 ? lines : null;
      });
      expect(up.filter((line) => line.includes('job="shardex-worker"'))).toHaveLength(2);
      const rules = (await engine.get('http://127.0.0.1:9090/api/v1/rules?type=alert')) as {
        data: { groups: { rules: { health: string }[] }[] };
      };
      const written = parse(readFileSync(join(DEPLOY, 'prometheus', 'alerts.yaml'), 'utf8')) as {
        groups: { rules: unknown[] }[];
      };
      const found = rules.data.groups.flatMap((group) => group.rules);
      expect(found).toHaveLength(written.groups.flatMap((group) => group.rules).length);
    });

    it('mounts the dashboard where Grafana is told to look, readable for it', async () => {
      const { providers } = parse(
        await typed('docker compose exec grafana cat /etc/grafana/provisioning/dashboards/shardex.yaml'),
      ) as { providers: { options: { path: string } }[] };
      const dashboard = await typed(`docker compose exec grafana sh -c 'cat ${providers[0]?.options.path}/*.json'`);
      expect(JSON.parse(dashboard)).toMatchObject({ uid: 'shardex', title: 'shardex' });
    });

    it('drains when it is stopped', async () => {
      await typed('docker compose stop worker coordinator');
      for (const service of ['worker', 'coordinator']) {
        for (const { State } of await containersOf(service))
          expect(State).toMatchObject({ Status: 'exited', ExitCode: 0 });
      }
      expect((await typed('docker compose logs worker')).match(/"text":"drained"/g)).toHaveLength(2);
    });
  },
});
