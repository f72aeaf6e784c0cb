import { spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OwnNamespaces } from './own-namespaces.js';
import { runProgram, type ProgramOutcome } from './programs.js';

const NODE = fileURLToPath(new URL('./kubernetes/node.sh', import.meta.url));
/** Of the node, on its loopback interface: pods reach it by their default route. */
const NODE_ADDRESS = '10.79.0.1';
const POD_ADDRESSES = '10.78.0.0/24';
const PAUSE_IMAGE = 'localhost/shardex-pause:1';

export interface KubernetesPrograms {
  /** Built from test/production/kubernetes: every part of Kubernetes. */
  readonly kubernetes: string;
  /** Built from the folder `pause` in there. */
  readonly pause: string;
}

/** What `kubectl get --output json` gives, as far as tests look into it. */
export interface Listed {
  readonly items: readonly {
    readonly metadata: {
      readonly name: string;
      readonly uid: string;
      readonly labels?: Readonly<Record<string, string>>;
      readonly deletionTimestamp?: string;
    };
    readonly spec: Readonly<Record<string, unknown>>;
    readonly status: {
      readonly phase?: string;
      readonly conditions?: readonly { readonly type: string; readonly status: string }[];
      readonly containerStatuses?: readonly { readonly restartCount: number }[];
    };
  }[];
}

/**
 * A real Kubernetes of one node, its parts the programs of a release, in namespaces of the kernel of its own: what it starts,
 * mounts and sets ends with it. Storage is volumes that somebody has made beforehand, as `volume` does; network policies are
 * accepted and not enforced, as by many a plugin.
 */
export class KubernetesCluster {
  #node: OwnNamespaces | undefined;

  private constructor(
    private readonly folder: string,
    private readonly programs: KubernetesPrograms,
  ) {}

  /** @param folder - short: a socket's whole path may have 107 characters */
  static async start(folder: string, programs: KubernetesPrograms): Promise<KubernetesCluster> {
    const cluster = new KubernetesCluster(folder, programs);
    try {
      await cluster.#start();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  async #start(): Promise<void> {
    await this.#configure();
    const command = [NODE, this.folder, this.programs.kubernetes, NODE_ADDRESS];
    const node = await OwnNamespaces.start(command, this.#at('log'), 'k8s.io');
    this.#node = node;
    await node.until('containerd', async () => ((await this.#ctr('version')).exitCode === 0 ? true : null));
    await this.#importPause();
    const ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}';
    await node.until(
      'a node that is ready',
      async () => {
        const { stdout } = await this.tryKubectl('get', 'node', 'node', '--output', ready);
        return stdout === 'True' ? true : null;
      },
      120_000,
    );
  }

  async #configure(): Promise<void> {
    for (const name of ['log', 'pki', 'network']) await mkdir(this.#at(name));
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const token = randomBytes(16).toString('hex');
    const containerd = `
version = 2
root = "${this.#at('containerd')}"
state = "${this.#at('state')}"
[grpc]
  address = "${this.#socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${this.#at('network')}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`;
    // Not a bridge: packets between pods would cross it unseen by the rules that make services of them.
    const network = {
      cniVersion: '1.0.0',
      name: 'pods',
      plugins: [
        {
          type: 'ptp',
          ipam: { type: 'host-local', ranges: [[{ subnet: POD_ADDRESSES }]], routes: [{ dst: '0.0.0.0/0' }] },
        },
        { type: 'portmap', capabilities: { portMappings: true } },
      ],
    };
    const access = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'test', cluster: { server: 'https://127.0.0.1:6443', 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'admin', user: { token } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
      'current-context': 'test',
    };
    const kubelet = {
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      readOnlyPort: 0,
      cgroupDriver: 'cgroupfs',
      cgroupsPerQOS: false,
      enforceNodeAllocatable: [],
      failCgroupV1: false,
      failSwapOn: false,
      containerRuntimeEndpoint: `unix://${this.#socket}`,
      // Whoever is in the node's network may ask it: that is this test.
      authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
      authorization: { mode: 'AlwaysAllow' },
      clusterDNS: [NODE_ADDRESS],
      clusterDomain: 'cluster.local',
      evictionHard: { 'nodefs.available': '1%', 'imagefs.available': '1%', 'memory.available': '50Mi' },
      makeIPTablesUtilChains: false,
      oomScoreAdj: 0,
    };
    await Promise.all([
      writeFile(this.#at('pki/accounts.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 }),
      writeFile(this.#at('pki/accounts.pub'), publicKey.export({ type: 'spki', format: 'pem' })),
      writeFile(this.#at('pki/tokens.csv'), `${token},admin,admin,system:masters\n`, { mode: 0o600 }),
      writeFile(this.#at('containerd.toml'), containerd),
      writeFile(this.#at('network/pods.conflist'), JSON.stringify(network)),
      writeFile(this.#at('kubeconfig'), JSON.stringify(access), { mode: 0o600 }),
      writeFile(this.#at('kubelet.json'), JSON.stringify(kubelet)),
    ]);
  }

  /** Brings an image of podman into the node. */
  async importImage(name: string): Promise<void> {
    const archive = this.#at('image.tar');
    await this.#succeed('podman', ['save', '--quiet', '--format', 'docker-archive', '--output', archive, name]);
    await this.#succeed('ctr', ['--address', this.#socket, '--namespace', 'k8s.io', 'images', 'import', archive]);
    // podman would add the next one to it.
    await rm(archive);
  }

  /** Containers of pods that have a process. */
  async runningContainers(): Promise<string[]> {
    const { stdout } = await this.#ctr('tasks', 'list', '--quiet');
    return stdout.split('\n').filter((line) => line !== '');
  }

  /** @returns what it wrote to standard output; @throws when it fails */
  kubectl(...args: string[]): Promise<string> {
    return this.#succeed(...this.inside(this.#kubectl(args)));
  }

  tryKubectl(...args: string[]): Promise<ProgramOutcome> {
    return runProgram(...this.inside(this.#kubectl(args)));
  }

  /** @returns what it wrote to standard output; @throws when it fails */
  helm(...args: string[]): Promise<string> {
    // Its caches and its own settings are in the home of whoever runs the tests.
    const home = ['env', `HELM_CACHE_HOME=${this.#at('helm')}`, `HELM_CONFIG_HOME=${this.#at('helm')}`];
    return this.#succeed(...this.inside([...home, 'helm', '--kubeconfig', this.#at('kubeconfig'), ...args]));
  }

  /** Asks for a pod's end as the drain of a node does. */
  async evict(pod: string): Promise<void> {
    const file = this.#at('eviction.json');
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace: 'default' } };
    await writeFile(file, JSON.stringify(eviction));
    await this.kubectl('create', '--raw', `/api/v1/namespaces/default/pods/${pod}/eviction`, '--filename', file);
  }

  /** Leads a port of the node's loopback to the same port of a service, until it is stopped. */
  forward(target: string, port: number): { stop(): Promise<void> } {
    const [file, args] = this.inside(this.#kubectl(['port-forward', target, String(port)]));
    const child = spawn(file, args, { stdio: 'ignore' });
    const ended = once(child, 'exit');
    return {
      stop: async () => {
        child.kill();
        await ended;
      },
    };
  }

  async list(kind: string, selector: string): Promise<Listed['items']> {
    return (JSON.parse(await this.kubectl('get', kind, '--selector', selector, '--output', 'json')) as Listed).items;
  }

  async apply(...resources: readonly object[]): Promise<void> {
    const file = this.#at('apply.json');
    await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: resources }));
    await this.kubectl('apply', '--filename', file);
  }

  /** A program and its arguments that run in the network of the node. */
  inside(command: readonly string[]): [string, string[]] {
    if (this.#node === undefined) throw new Error('there is no node yet');
    return this.#node.inside(command);
  }

  async stop(): Promise<void> {
    await this.#node?.stop();
  }

  get #socket(): string {
    return this.#at('containerd.sock');
  }

  #at(name: string): string {
    return join(this.folder, name);
  }

  #kubectl(args: readonly string[]): string[] {
    return [this.programs.kubernetes, 'kubectl', '--kubeconfig', this.#at('kubeconfig'), ...args];
  }

  #ctr(...args: string[]): Promise<ProgramOutcome> {
    return runProgram('ctr', ['--address', this.#socket, '--namespace', 'k8s.io', ...args]);
  }

  async #succeed(file: string, args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await runProgram(file, args);
    if (exitCode !== 0) throw new Error(`${file} ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout.trim();
  }

  /** The image that a pod's first container is made of: the one program, and nothing else. */
  async #importPause(): Promise<void> {
    const containerfile = this.#at('Containerfile');
    await writeFile(containerfile, 'FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n');
    const context = join(this.programs.pause, '..');
    const way = ['--quiet', '--isolation', 'chroot', '--file', containerfile, '--tag', PAUSE_IMAGE];
    await this.#succeed('podman', ['build', ...way, context]);
    await this.importImage(PAUSE_IMAGE);
    await this.#succeed('podman', ['rmi', PAUSE_IMAGE]);
  }
}
