import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { JobState } from '@shardex/proto';
import { describeWithPart } from '../support/required-part.js';
import { hashes, LAUNCHER, runCluster, shardex } from '../support/shardex.js';
import { baseImages, buildImage, podman } from './built-image.js';
import { KubernetesCluster, type KubernetesPrograms } from './kubernetes-cluster.js';
import { eventually, havePrograms, runProgram } from './programs.js';
import { clientPod, sharedVolume, stateVolume } from './kubernetes-resources.js';

const CHART = fileURLToPath(new URL('../../helm/shardex', import.meta.url));
const REPOSITORY = 'localhost/shardex-test';
const TAG = `kubernetes-${process.pid}`;
const RESULTS = ['nb_glm.h5ad', 'wilcoxon.h5ad', 't_test.h5ad', 'cells.parquet'];
const RELEASE = 'screens';
const COORDINATOR = `${RELEASE}-shardex-coordinator`;
const WORKERS = 'app.kubernetes.io/component=worker';
const OURS = `app.kubernetes.io/instance=${RELEASE}`;

/** Two cores for all: pods ask for little of them. Tasks are many, and a lost worker is soon known. */
const VALUES = {
  image: { repository: REPOSITORY, tag: TAG },
  storage: { sharedVolume: { existingClaim: 'screens' } },
  coordinator: {
    leaseMs: 3000,
    resources: { requests: { cpu: '100m', memory: '256Mi' } },
    extraEnv: [{ name: 'SHARDEX_TASK_NONZEROS', value: '100000' }],
  },
  worker: {
    drainGraceMs: 5000,
    resources: { requests: { cpu: '100m', memory: '512Mi' }, limits: { cpu: '1', memory: '1Gi' } },
  },
};

interface RunRecord {
  readonly workers: readonly unknown[];
  readonly stages: readonly { readonly name: string; readonly tasks_resumed: number; readonly retries: number }[];
}

/** What the suite needs: the parts of Kubernetes, what they start, and what the image is built of. */
function findParts() {
  const folder = process.env['SHARDEX_KUBERNETES'] ?? '';
  const programs: KubernetesPrograms = { kubernetes: join(folder, 'kubernetes'), pause: join(folder, 'pause') };
  const bases = baseImages();
  const isThere =
    folder !== '' &&
    process.getuid?.() === 0 &&
    havePrograms(
      [programs.kubernetes, 'kubectl', 'version', '--client'],
      ['helm', 'version'],
      ['containerd', '--version'],
      ['etcd', '--version'],
      ['nft', '--version'],
    ) &&
    existsSync('/usr/lib/cni/ptp');
  return isThere && bases !== null ? { programs, bases } : null;
}

describeWithPart({
  part: 'kubernetes',
  name: 'the chart on a real Kubernetes',
  probe: findParts,
  reason:
    'SHARDEX_KUBERNETES names no folder with the programs of test/production/kubernetes; or etcd, containerd, CNI plugins, nft, helm, ' +
    'podman or the images of SHARDEX_TEST_BASE_IMAGES are absent; or this is not root, who has to start them',
  body: ({ programs, bases }) => {
    let folder: string;
    let data: string;
    let expected: Record<string, string>;
    let cluster: KubernetesCluster;

    beforeAll(async () => {
      // Sockets have short names, so not below the temporary folder, which may be deep.
      folder = await mkdtemp('/tmp/shardex-k8s-');
      data = join(folder, 'data');
      await mkdir(data);
      await mkdir(join(folder, 'state'));
      await mkdir(join(folder, 'node'));
      await writeFile(join(folder, 'values.json'), JSON.stringify(VALUES));
      const screen = join(data, 'screen.h5ad');
      // Some ten seconds of work, so that pods that are started in mid-run find some of it left.
      const sizes = ['--cells', '24000', '--genes', '1000', '--perturbations', '60', '--depth', '2000', '--seed', '7'];
      expect((await shardex(['simulate', screen, ...sizes])).exitCode).toBe(0);
      const local = await runCluster(screen, join(folder, 'local'));
      expect(local.state, local.failure?.message).toBe(JobState.SUCCEEDED);
      expected = await hashes(join(folder, 'local'), RESULTS);
      // As on a share of a site: pods are nobody in particular.
      await chmod(data, 0o777);
      await buildImage(`${REPOSITORY}:${TAG}`, bases);
      cluster = await KubernetesCluster.start(join(folder, 'node'), programs);
      await cluster.importImage(`${REPOSITORY}:${TAG}`);
      await cluster.apply(stateVolume(join(folder, 'state')), ...sharedVolume('screens', data));
    }, 900_000);
    afterAll(async () => {
      await cluster?.stop();
      await podman('rmi', '--force', `${REPOSITORY}:${TAG}`);
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    }, 300_000);

    const release = (verb: 'install' | 'upgrade', name: string, ...values: string[]): Promise<string> =>
      cluster.helm(
        ...[verb, name, CHART, '--values', join(folder, 'values.json')],
        ...values.flatMap((one) => ['--set', one]),
        // An upgrade is waited for by those who look at what becomes of the run meanwhile.
        ...(verb === 'install' ? ['--wait', '--timeout', '180s'] : []),
      );
    /** Submits a job from a pod of its own, as a user within the cluster does. */
    const submit = (name: string, coordinator = COORDINATOR): Promise<void> =>
      cluster.apply(
        clientPod(name, `${REPOSITORY}:${TAG}`, [
          ...['de', '/data/screen.h5ad', '--out', `/data/${name}`, '--coordinator', `${coordinator}:7443`, '--json'],
        ]),
      );
    /** Waits until the pod that submitted a job has ended, and looks at what came of it. */
    const finish = async (name: string): Promise<void> => {
      const phase = await eventually(
        `the end of ${name}`,
        async () => {
          const found = await cluster.kubectl('get', 'pod', name, '--output', 'jsonpath={.status.phase}');
          return /^(Succeeded|Failed)$/.test(found) ? found : null;
        },
        240_000,
      );
      const log = await cluster.kubectl('logs', name);
      expect(phase, log).toBe('Succeeded');
      expect(await hashes(join(data, name), RESULTS)).toEqual(expected);
    };
    const recordOf = (name: string): RunRecord =>
      JSON.parse(readFileSync(join(data, name, 'run.json'), 'utf8')) as RunRecord;
    /** Waits until a stage has left an object on scratch. */
    const reached = (name: string, stage: string): Promise<true> =>
      eventually(`${stage} of ${name}`, async () => {
        const names = await readdir(join(data, name, '.shardex-scratch'), { recursive: true }).catch(() => []);
        return names.some((file) => file.includes(`/${stage}/`) && file.endsWith('.bundle')) ? true : null;
      });
    const expectUnfinished = (name: string): void =>
      expect(existsSync(join(data, name, 'run.json')), `${name} ended before anything happened to it`).toBe(false);
    const workers = () => cluster.list('pods', `${OURS},${WORKERS}`);

    it('is installed, with every pod ready, and passes its own test', async () => {
      const notes = await release('install', RELEASE);
      expect(notes).toContain(`The coordinator is ${COORDINATOR}:7443`);
      expect(await workers()).toHaveLength(2);
      expect(await cluster.helm('test', RELEASE)).toContain('Phase:          Succeeded');
    });

    it('runs a screen in its pods, to the same bytes as one machine', async () => {
      await submit('whole');
      await finish('whole');
    });

    it('loses a worker in mid-run', async () => {
      await submit('worker-lost');
      await reached('worker-lost', 'scan');
      const [lost] = await workers();
      await cluster.kubectl('delete', 'pod', lost.metadata.name, '--grace-period=0', '--force');
      expectUnfinished('worker-lost');
      await finish('worker-lost');
      const names = (await workers()).map(({ metadata }) => metadata.name);
      expect(names).not.toContain(lost.metadata.name);
    });

    it('loses its coordinator in mid-run, and the next one goes on from the volume', async () => {
      const uid = () => cluster.kubectl('get', 'pod', `${COORDINATOR}-0`, '--output', 'jsonpath={.metadata.uid}');
      const before = await uid();
      await submit('coordinator-lost');
      await reached('coordinator-lost', 'scan');
      await cluster.kubectl('delete', 'pod', `${COORDINATOR}-0`);
      expectUnfinished('coordinator-lost');
      await finish('coordinator-lost');
      expect(await uid()).not.toBe(before);
      // It did not begin again: what the first one's tasks had left was not computed twice.
      const scan = recordOf('coordinator-lost').stages.find(({ name }) => name === 'scan');
      expect(scan?.tasks_resumed).toBeGreaterThan(0);
    });

    it('is upgraded in mid-run', async () => {
      await submit('upgraded');
      await reached('upgraded', 'scan');
      // Another number, and pods that are all replaced for another reason: the old ones drain.
      await release('upgrade', RELEASE, 'worker.replicas=3', 'worker.logLevel=debug');
      expectUnfinished('upgraded');
      await finish('upgraded');
      await cluster.kubectl('rollout', 'status', `deployment/${RELEASE}-shardex-worker`, '--timeout', '120s');
      expect((await workers()).filter(({ metadata }) => metadata.deletionTimestamp === undefined)).toHaveLength(3);
      // Both the old and the new ones took part.
      expect(recordOf('upgraded').workers.length).toBeGreaterThan(2);
    });

    it('is reached from outside as its notes say', async () => {
      const forwarding = cluster.forward(`service/${COORDINATOR}`, 7443);
      const command = [process.execPath, LAUNCHER, 'jobs', '--coordinator', 'localhost:7443'];
      const jobs = await eventually('jobs by way of port-forward', async () => {
        const { exitCode, stdout } = await runProgram(...cluster.inside(command));
        return exitCode === 0 ? stdout : null;
      });
      await forwarding.stop();
      for (const name of ['whole', 'upgraded']) expect(jobs).toContain(`/data/${name}`);
    });

    it('is uninstalled and leaves nothing that runs', async () => {
      await cluster.helm('uninstall', RELEASE, '--wait');
      await cluster.kubectl('delete', 'pods', '--selector', '!app.kubernetes.io/instance');
      await eventually('no container', async () => ((await cluster.runningContainers()).length === 0 ? true : null));
      const kinds = 'all,serviceaccounts,poddisruptionbudgets,networkpolicies,configmaps,secrets';
      await eventually('nothing of the release', async () =>
        (await cluster.kubectl('get', kinds, '--selector', OURS, '--output', 'name')) === '' ? true : null,
      );
      // The claim to the volume of jobs stays, as with every StatefulSet: helm/README.md says how to be rid of it.
      expect(await cluster.kubectl('get', 'persistentvolumeclaims', '--selector', OURS, '--output', 'name')).toBe(
        `persistentvolumeclaim/state-${COORDINATOR}-0`,
      );
    });

    it('replaces a worker of a Job that is evicted in mid-run', async () => {
      await release('install', 'batch', 'worker.kind=Job', 'coordinator.persistence.enabled=false');
      const ofBatch = () => cluster.list('pods', `app.kubernetes.io/instance=batch,${WORKERS}`);
      await submit('evicted', 'batch-shardex-coordinator');
      await reached('evicted', 'scan');
      const [gone] = await ofBatch();
      await cluster.evict(gone.metadata.name);
      expectUnfinished('evicted');
      await eventually('another worker in its place', async () => {
        const running = (await ofBatch()).filter(({ status }) => status.phase === 'Running');
        return running.length === 2 && running.every(({ metadata }) => metadata.uid !== gone.metadata.uid)
          ? true
          : null;
      });
      await finish('evicted');
      await cluster.helm('uninstall', 'batch', '--wait');
    });
  },
});
