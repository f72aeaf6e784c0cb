import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from './programs.js';

const CONTROL_GROUPS = '/sys/fs/cgroup';

/**
 * A script that runs as the first process of a network, of mounts and of processes of its own: what it starts, mounts
 * and sets ends with it, by the kernel's doing. It ends when its standard input is closed, which this process's end does too.
 */
export class OwnNamespaces {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(
    process: ChildProcess,
    private readonly logs: string,
    private readonly controlGroup: string,
  ) {
    this.#process = process;
    this.#ended = once(process, 'exit');
  }

  /**
   * @param command - a script for bash, and its arguments
   * @param logs - a folder; what the script itself says goes into one more file of it
   * @param controlGroup - of the containers that it starts
   */
  static async start(command: readonly string[], logs: string, controlGroup: string): Promise<OwnNamespaces> {
    const own = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const log = await open(join(logs, 'namespaces.log'), 'w');
    const child = spawn('unshare', [...own, 'bash', ...command], { stdio: ['pipe', log.fd, log.fd] });
    const started = new OwnNamespaces(child, logs, controlGroup);
    await log.close();
    return started;
  }

  /** Whose network it is. */
  get pid(): string {
    return String(this.#process.pid);
  }

  /** Waits for something that runs in here. @throws with the ends of all logs when it does not come, or all has ended */
  async until<Answer>(what: string, ask: () => Promise<Answer | null>, deadlineMs?: number): Promise<Answer> {
    const askWhileAlive = (): Promise<Answer | null> => {
      if (this.#process.exitCode !== null) throw new Error(`it ended before ${what} was there`);
      return ask();
    };
    try {
      return await eventually(what, askWhileAlive, deadlineMs);
    } catch (error) {
      throw new Error(`${String(error)}\n${await this.#endsOfLogs()}`);
    }
  }

  /** A program and its arguments that run in the network of this. */
  inside([file, ...args]: readonly string[]): [string, string[]] {
    return ['nsenter', [`--net=/proc/${this.pid}/ns/net`, file ?? '', ...args]];
  }

  async stop(): Promise<void> {
    this.#process.stdin?.end();
    await this.#ended;
    // The kernel ended the containers, so nobody was left to remove what counted their memory and time.
    for (const controller of await readdir(CONTROL_GROUPS).catch(() => [])) {
      await removeEmpty(join(CONTROL_GROUPS, controller, this.controlGroup));
    }
  }

  async #endsOfLogs(): Promise<string> {
    const names = await readdir(this.logs);
    const ends = names.map(async (name) => {
      const lines = (await readFile(join(this.logs, name), 'utf8')).trimEnd().split('\n');
      return [`== ${name}`, ...lines.slice(-12)].join('\n');
    });
    return (await Promise.all(ends)).join('\n');
  }
}

/** Removes control groups, the innermost first; absent ones are none. */
async function removeEmpty(group: string): Promise<void> {
  const entries = await readdir(group, { withFileTypes: true }).catch(() => null);
  if (entries === null) return;
  for (const entry of entries) if (entry.isDirectory()) await removeEmpty(join(group, entry.name));
  // The kernel takes a moment to forget the last process.
  await eventually(`an empty ${group}`, () =>
    rmdir(group).then(
      () => true,
      () => null,
    ),
  );
}
