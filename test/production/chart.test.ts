import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { describeWithPart } from '../support/required-part.js';
import { shardex } from '../support/shardex.js';
import { havePrograms, runProgram } from './programs.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CHART = join(ROOT, 'helm', 'shardex');
const EVERYTHING = ['--values', join(CHART, 'ci', 'everything-values.yaml')];
const CRDS = ['--api-versions', 'monitoring.coreos.com/v1', '--api-versions', 'keda.sh/v1alpha1'];
const KUBERNETES = '1.35';

/** Manifests are looked into at will; what they may hold is Kubernetes's to say. */
type Untyped = ReturnType<typeof JSON.parse>;

interface Container {
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly args: readonly string[];
  readonly resources: Record<string, unknown>;
  readonly securityContext: Record<string, unknown>;
}
interface PodTemplate {
  readonly metadata: { readonly labels: Record<string, string> };
  readonly spec: { readonly containers: readonly Container[] } & Record<string, Untyped>;
}
type Resource = Record<string, Untyped> & { readonly kind: string; readonly metadata: { readonly name: string } };

/** Sets of values that between them turn on every branch of the templates. */
const VARIANTS: Readonly<Record<string, readonly string[]>> = {
  'the defaults': [],
  everything: [...EVERYTHING, ...CRDS],
  'workers as a Job': ['--set', 'worker.kind=Job'],
  'a HorizontalPodAutoscaler': ['--set', 'worker.autoscaling.kind=hpa'],
  'no volume, no policy': ['--set', 'coordinator.persistence.enabled=false,networkPolicy.enabled=false'],
};

async function helm(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram('helm', args);
  expect(exitCode, stderr).toBe(0);
  return stdout;
}

/** What the chart makes of these options. */
async function render(options: readonly string[]): Promise<Resource[]> {
  const text = await helm('template', 'r', CHART, '--kube-version', `${KUBERNETES}.0`, ...options);
  return parseAllDocuments(text).flatMap((one) => (one.toJS() === null ? [] : [one.toJS() as Resource]));
}

const podOf = (resources: readonly Resource[], kind: string, component: string): PodTemplate => {
  const found = resources.find((one) => one.kind === kind && one.metadata.name.endsWith(`-${component}`));
  expect(found, `${kind} of ${component}`).toBeDefined();
  return found!['spec'].template as PodTemplate;
};

const environmentOf = (pod: PodTemplate): Record<string, string | undefined> =>
  Object.fromEntries(pod.spec.containers[0].env.map(({ name, value }) => [name, value]));

/** Dotted paths of all values, lists and empty mappings as one. */
const pathsOf = (values: Record<string, unknown>, above = ''): string[] =>
  Object.entries(values).flatMap(([name, value]) => {
    const path = above === '' ? name : `${above}.${name}`;
    const isBranch = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isBranch && Object.keys(value).length > 0 && !['requests', 'limits', 'labels'].includes(name)
      ? pathsOf(value as Record<string, unknown>, path)
      : [path];
  });

describe('the documentation of the chart', () => {
  it('has every value in its table, and no other', () => {
    const values = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Record<string, unknown>;
    const readme = readFileSync(join(ROOT, 'helm', 'README.md'), 'utf8');
    const documented = [...readme.matchAll(/^\| `([\w.]+)`/gm)].map(([, path]) => path);
    expect(documented.sort()).toEqual(pathsOf(values).sort());
  });

  it('says what the defaults ask for, and a machine of four cores has that beside Kubernetes itself', () => {
    const { coordinator, worker } = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Record<
      'coordinator' | 'worker',
      { readonly replicas?: number; readonly resources: { readonly requests: { readonly cpu: string } } }
    >;
    const coresOf = (quantity: string): number =>
      quantity.endsWith('m') ? Number.parseInt(quantity, 10) / 1000 : Number(quantity);
    const [fixed, each] = [coordinator, worker].map(({ resources }) => coresOf(resources.requests.cpu)) as [
      number,
      number,
    ];
    const asked = fixed + (worker.replicas ?? 0) * each;
    const readme = readFileSync(join(ROOT, 'helm', 'README.md'), 'utf8');
    expect(readme).toContain(`asks for ${asked} cores`);
    expect(readme).toContain(`it is ${fixed + each} cores`);
    expect(asked).toBeLessThanOrEqual(3);
  });
});

describeWithPart({
  part: 'helm',
  name: 'the chart',
  probe: () => (havePrograms(['helm', 'version'], ['kubernetes-validate', '--version']) ? true : null),
  reason:
    'helm or kubernetes-validate is absent (go install helm.sh/helm/v3/cmd/helm@latest; pip install kubernetes-validate)',
  body: () => {
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    it('passes lint, with and without its options', async () => {
      await helm('lint', '--strict', CHART, '--kube-version', `${KUBERNETES}.0`);
      await helm('lint', '--strict', CHART, '--kube-version', `${KUBERNETES}.0`, ...EVERYTHING);
    });

    it.each(Object.entries(VARIANTS))('is valid Kubernetes: %s', async (name, options) => {
      const resources = await render(options);
      const file = join(folder, `${name.replaceAll(' ', '-')}.yaml`);
      await writeFile(file, resources.map((one) => JSON.stringify(one)).join('\n---\n'));
      const { exitCode, stdout, stderr } = await runProgram('kubernetes-validate', [
        '-k',
        KUBERNETES,
        '--strict',
        file,
      ]);
      const text = stdout + stderr;
      expect(exitCode, text).toBe(0);
      // Custom resources have no schema there; everything else was looked at.
      const unknown = [...text.matchAll(/Couldn't find schema for kind (\w+)/g)].map(([, kind]) => kind);
      expect(unknown.filter((kind) => !/^(ServiceMonitor|PodMonitor|PrometheusRule|ScaledObject)$/.test(kind))).toEqual(
        [],
      );
    });

    it.each([
      ['worker.replica=3', 'replica'],
      ['worker.kind=DaemonSet', 'kind'],
      ['coordinator.taskMemory=lots', 'taskMemory'],
      ['coordinator.leaseMs=soon', 'leaseMs'],
    ])('refuses %s', async (setting, said) => {
      const options = ['--kube-version', `${KUBERNETES}.0`, '--set', setting];
      const { exitCode, stderr } = await runProgram('helm', ['template', 'r', CHART, ...options]);
      expect(exitCode).not.toBe(0);
      expect(stderr).toContain(said);
    });

    it('refuses a Job that would be scaled', async () => {
      const options = ['--kube-version', `${KUBERNETES}.0`, '--set', 'worker.kind=Job,worker.autoscaling.kind=hpa'];
      const { exitCode, stderr } = await runProgram('helm', ['template', 'r', CHART, ...options]);
      expect(exitCode).not.toBe(0);
      expect(stderr).toContain('a Job has a fixed number of workers');
    });

    it('runs nothing as root, nothing on a writable root, nothing without resources or probes', async () => {
      const resources = await render([...EVERYTHING, ...CRDS]);
      for (const [kind, component] of [
        ['StatefulSet', 'coordinator'],
        ['Deployment', 'worker'],
      ] as const) {
        const { spec } = podOf(resources, kind, component);
        expect(spec['securityContext']).toMatchObject({
          runAsNonRoot: true,
          seccompProfile: { type: 'RuntimeDefault' },
        });
        expect(spec['automountServiceAccountToken']).toBe(false);
        for (const container of spec.containers) {
          expect(container.securityContext).toEqual({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          });
          expect(container.resources).toHaveProperty('requests');
          expect(container).toHaveProperty('readinessProbe');
          expect(container).toHaveProperty('livenessProbe');
        }
      }
    });

    it('sets only what the programs know', async () => {
      for (const [kind, component, options] of [
        ['StatefulSet', 'coordinator', []],
        ['StatefulSet', 'coordinator', EVERYTHING],
        ['Deployment', 'worker', EVERYTHING],
        ['Job', 'worker', VARIANTS['workers as a Job']],
      ] as const) {
        const pod = podOf(await render(options), kind, component);
        expect(pod.spec.containers[0].args).toEqual([component]);
        const { stdout } = await shardex([component, '--help']);
        const settings = Object.keys(environmentOf(pod)).filter((name) => name.startsWith('SHARDEX_'));
        expect(settings.length).toBeGreaterThan(3);
        for (const name of settings) {
          const flag = `--${name.slice('SHARDEX_'.length).toLowerCase().replaceAll('_', '-')}`;
          expect(stdout, `${component} knows ${flag}`).toContain(`${flag} `);
        }
      }
    });

    it('gives a worker longer to end than it takes to drain', async () => {
      const pod = podOf(await render(['--set', 'worker.drainGraceMs=90500']), 'Deployment', 'worker');
      expect(environmentOf(pod)['SHARDEX_DRAIN_GRACE_MS']).toBe('90500');
      expect(pod.spec['terminationGracePeriodSeconds']).toBe(101);
    });

    it('replaces workers of a Job that drain, and lets them be evicted', async () => {
      const resources = await render(VARIANTS['workers as a Job']);
      const drained = environmentOf(podOf(resources, 'Job', 'worker'))['SHARDEX_DRAINED_EXIT_CODE'];
      const job = resources.find(({ kind }) => kind === 'Job')!;
      expect(job['spec'].podFailurePolicy.rules).toContainEqual({
        action: 'Ignore',
        onExitCodes: { containerName: 'worker', operator: 'In', values: [Number(drained)] },
      });
      expect(resources.filter(({ kind }) => kind === 'PodDisruptionBudget')).toEqual([]);
      const deployment = podOf(await render(VARIANTS['the defaults']), 'Deployment', 'worker');
      expect(environmentOf(deployment)).not.toHaveProperty('SHARDEX_DRAINED_EXIT_CODE');
    });

    it('leads every selector to the pods it means, and to no others', async () => {
      const resources = await render([...EVERYTHING, ...CRDS]);
      const pods = {
        coordinator: podOf(resources, 'StatefulSet', 'coordinator').metadata.labels,
        worker: podOf(resources, 'Deployment', 'worker').metadata.labels,
      };
      const chosen = (labels: Record<string, string>): string[] =>
        Object.entries(pods).flatMap(([name, pod]) =>
          Object.entries(labels).every(([key, value]) => pod[key] === value) ? [name] : [],
        );
      let seen = 0;
      for (const { kind, metadata, spec } of resources) {
        const selector = (
          kind === 'Service'
            ? spec.selector
            : kind === 'NetworkPolicy'
              ? spec.podSelector.matchLabels
              : spec?.selector?.matchLabels
        ) as Record<string, string> | undefined;
        // A ServiceMonitor chooses a Service, by the labels of the coordinator.
        if (selector === undefined || kind === 'ServiceMonitor') continue;
        seen += 1;
        expect(chosen(selector), `${kind} ${metadata.name}`).toEqual([
          metadata.name.includes('coordinator') ? 'coordinator' : 'worker',
        ]);
      }
      expect(seen).toBeGreaterThanOrEqual(9);
    });

    it('gives service accounts their annotations, and monitoring its labels', async () => {
      const resources = await render([...EVERYTHING, ...CRDS]);
      const account = resources.find(
        ({ kind, metadata }) => kind === 'ServiceAccount' && metadata.name.endsWith('coordinator'),
      );
      expect(account).toMatchObject({
        metadata: { annotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/shardex' } },
      });
      for (const kind of ['ServiceMonitor', 'PodMonitor', 'PrometheusRule']) {
        const found = resources.find((one) => one.kind === kind);
        expect(found, kind).toMatchObject({ metadata: { labels: { release: 'prometheus', team: 'genomics' } } });
      }
    });

    it('brings the alerts and the dashboard as they are tested', async () => {
      const resources = await render([...EVERYTHING, ...CRDS]);
      const rule = resources.find(({ kind }) => kind === 'PrometheusRule')!;
      expect(rule['spec']).toEqual(parse(readFileSync(join(ROOT, 'deploy', 'prometheus', 'alerts.yaml'), 'utf8')));
      const board = resources.find(({ kind }) => kind === 'ConfigMap')!;
      const tested = readFileSync(join(ROOT, 'deploy', 'grafana', 'shardex.json'), 'utf8');
      expect(JSON.parse(board['data']['shardex.json'] as string)).toEqual(JSON.parse(tested));
    });

    it('leaves out what the cluster does not know, and everything that was not asked for', async () => {
      const custom = /^(ServiceMonitor|PodMonitor|PrometheusRule|ScaledObject)$/;
      const unknown = await render(EVERYTHING);
      expect(unknown.filter(({ kind }) => custom.test(kind))).toEqual([]);
      const unasked = await render(CRDS);
      expect(unasked.filter(({ kind }) => custom.test(kind) || kind === 'ConfigMap')).toEqual([]);
    });
  },
});
