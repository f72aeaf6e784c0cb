import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { podman } from './built-image.js';
import { OwnNamespaces } from './own-namespaces.js';
import { runProgram, type ProgramOutcome } from './programs.js';

const ENGINE = fileURLToPath(new URL('./docker/engine.sh', import.meta.url));
const CONTROL_GROUP = `shardex-docker-${process.pid}`;

/** Images that are made where no registry can be asked for them: programs of this machine on top of a base. */
export interface MadeImage {
  readonly tag: string;
  readonly base: string;
  /** Names on the path, or files; copied to /usr/local/bin. */
  readonly programs: readonly string[];
  readonly instructions: readonly string[];
}

/**
 * A real Docker engine in namespaces of the kernel of its own: what it starts, mounts and sets ends with it, and its
 * ports are free whatever this machine does. The way out is slirp4netns, as for an engine without root.
 */
export class DockerEngine {
  #engine: OwnNamespaces | undefined;
  #wayOut: ChildProcess | undefined;

  private constructor(private readonly folder: string) {}

  /**
   * @param folder - empty, and short: a socket's whole path may have 107 characters
   * @param compose - the program that becomes `docker compose`
   */
  static async start(folder: string, compose: string): Promise<DockerEngine> {
    const engine = new DockerEngine(folder);
    try {
      await mkdir(engine.#at('log'));
      await mkdir(engine.#at('config/cli-plugins'), { recursive: true });
      await symlink(compose, engine.#at('config/cli-plugins/docker-compose'));
      await engine.#start();
    } catch (error) {
      await engine.stop();
      throw error;
    }
    return engine;
  }

  async #start(): Promise<void> {
    const command = [ENGINE, this.folder, CONTROL_GROUP];
    const engine = await OwnNamespaces.start(command, this.#at('log'), CONTROL_GROUP);
    this.#engine = engine;
    await engine.until('the engine', async () => {
      const { exitCode } = await this.#run(['docker', 'version']);
      return exitCode === 0 ? true : null;
    });
    // It ends when the pipe does: with this process at the latest.
    this.#wayOut = spawn(
      'slirp4netns',
      ['--configure', '--mtu=65520', '--disable-host-loopback', '--exit-fd=3', engine.pid, 'tap0'],
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] },
    );
    await engine.until('a way out of its network', async () => {
      const { stdout } = await runProgram(...engine.inside(['ip', 'route', 'show', 'default']));
      return stdout === '' ? null : true;
    });
  }

  /** @returns what it wrote to standard output; @throws when it fails */
  async docker(...args: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.#run(['docker', ...args]);
    if (exitCode !== 0) throw new Error(`docker ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout.trim();
  }

  /** A line as somebody types it in a folder. @returns what it wrote to both outputs; @throws when it fails */
  async typed(line: string, folder: string, environment: NodeJS.ProcessEnv): Promise<string> {
    const { exitCode, stdout, stderr } = await this.#run(['bash', '-c', line], { cwd: folder, environment });
    if (exitCode !== 0) throw new Error(`${line}: ${stdout}${stderr}`);
    return `${stdout}${stderr}`;
  }

  /** What a port that is published on this machine's loopback answers to. */
  async get(url: string): Promise<unknown> {
    const script = 'fetch(process.argv[1]).then((answer) => answer.text()).then(console.log)';
    if (this.#engine === undefined) throw new Error('there is no engine yet');
    const { exitCode, stdout, stderr } = await runProgram(
      ...this.#engine.inside([process.execPath, '-e', script, url]),
    );
    if (exitCode !== 0) throw new Error(`${url}: ${stderr}`);
    return JSON.parse(stdout);
  }

  /** Brings images of podman into the engine, under the names that are wanted there. */
  async importImages(names: Readonly<Record<string, string>>): Promise<void> {
    const archive = this.#at('images.tar');
    const sources = Object.keys(names);
    const way = ['--quiet', '--format', 'docker-archive', '--multi-image-archive', '--output', archive];
    const { exitCode, stderr } = await podman('save', ...way, ...sources);
    if (exitCode !== 0) throw new Error(`podman save: ${stderr}`);
    await this.docker('load', '--quiet', '--input', archive);
    await rm(archive);
    for (const [source, name] of Object.entries(names)) await this.docker('tag', source, name);
  }

  async make({ tag, base, programs, instructions }: MadeImage): Promise<void> {
    const context = this.#at('context');
    await mkdir(context);
    for (const program of programs) {
      const { stdout } = await runProgram('which', [program]);
      await copyFile(stdout.trim(), join(context, basename(program)));
    }
    const copies = programs.map((program) => `COPY ${basename(program)} /usr/local/bin/`);
    await writeFile(join(context, 'Dockerfile'), [`FROM ${base}`, ...copies, ...instructions, ''].join('\n'));
    await this.docker('build', '--quiet', '--tag', tag, context);
    await rm(context, { recursive: true });
  }

  async stop(): Promise<void> {
    if (this.#wayOut !== undefined) {
      const ended = once(this.#wayOut, 'exit');
      this.#wayOut.kill();
      await ended;
    }
    await this.#engine?.stop();
  }

  #at(name: string): string {
    return join(this.folder, name);
  }

  #run(
    [file, ...args]: readonly [string, ...string[]],
    { environment, ...options }: { readonly cwd?: string; readonly environment?: NodeJS.ProcessEnv } = {},
  ): Promise<ProgramOutcome> {
    const engine = { DOCKER_HOST: `unix://${this.#at('docker.sock')}`, DOCKER_CONFIG: this.#at('config') };
    return runProgram(file, args, { ...options, environment: { ...engine, ...environment } });
  }
}
