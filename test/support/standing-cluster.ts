import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { LAUNCHER } from './shardex.js';

/** One line of a process's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly text?: string; readonly event?: string };

export interface ProcessSurroundings {
  /** Added to the environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What starts it, as `ip netns exec NAME`. */
  readonly within?: readonly string[];
}

/** A process of ours that is killed at the end of a test, and what it said. */
export class LoggingProcess {
  readonly lines: LogLine[] = [];
  readonly exited: Promise<number | null>;
  stderr = '';
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();

  constructor(args: readonly string[], { environment = {}, within = [] }: ProcessSurroundings = {}) {
    const [file, ...rest] = [...within, process.execPath, LAUNCHER, ...args];
    const child = spawn(file, rest, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...environment },
    });
    this.#child = child;
    createInterface({ input: child.stderr }).on('line', (text) => {
      this.stderr += `${text}\n`;
      if (text.startsWith('{')) this.lines.push(JSON.parse(text) as LogLine);
      for (const wake of this.#waiting) wake();
    });
    this.exited = new Promise((resolve) => {
      child.once('close', (code) => {
        resolve(code);
        for (const wake of this.#waiting) wake();
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /**
   * Resolves with the first line that is meant, said before or later.
   *
   * @param from - lines before this one are not looked at
   * @throws when the process ends without saying it
   */
  said(isMeant: (line: LogLine) => boolean, from = 0): Promise<LogLine> {
    return new Promise((resolve, reject) => {
      // Each line is looked at once: a test that reads slower than its processes write would hold them up.
      let next = from;
      const look = (): void => {
        let line: LogLine | undefined;
        while (line === undefined && next < this.lines.length) {
          const candidate = this.lines[next++];
          if (isMeant(candidate)) line = candidate;
        }
        if (line === undefined && !this.isOver) return;
        this.#waiting.delete(look);
        if (line === undefined) reject(new Error(`the process ended without saying it:\n${this.stderr}`));
        else resolve(line);
      };
      this.#waiting.add(look);
      look();
    });
  }
}

/** Says where a coordinator listens. */
export async function addressOf(coordinator: LoggingProcess): Promise<string> {
  const { address } = await coordinator.said((line) => line['address'] !== undefined);
  return String(address);
}

/**
 * The job that a client was started to submit, once it is accepted: the coordinator has answered, so it is on record. The
 * coordinator's own log tells of it earlier, when a kill may still lose it.
 *
 * @param client - `de` with `--json`
 * @throws when the client ends before
 */
export async function acceptedJob(client: LoggingProcess): Promise<string> {
  const { job } = await client.said((line) => line['job'] !== undefined);
  return String(job);
}

/** A port of the loopback interface that nobody listens at. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
