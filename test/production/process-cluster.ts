import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { LAUNCHER } from '../support/shardex.js';
import { freePort } from './programs.js';

/** A process of the product whose log says what it serves. */
export interface LoggingProcess {
  readonly child: ChildProcess;
  /** Lines of the log so far. */
  readonly lines: readonly Record<string, unknown>[];
  /** Asks the process to end and waits until it has; @returns its exit code */
  stop(): Promise<number | null>;
}

/**
 * Starts `command`, whose standard error is one JSON object a line, and waits for the line that `isReady` knows.
 *
 * @throws when the process ends before
 */
export async function startLogging(
  command: readonly string[],
  isReady: (line: Record<string, unknown>) => boolean,
  environment: NodeJS.ProcessEnv = {},
): Promise<LoggingProcess & { readonly ready: Record<string, unknown> }> {
  const [file, ...args] = command;
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...environment } });
  const lines: Record<string, unknown>[] = [];
  const exit = once(child, 'exit') as Promise<[number | null]>;
  const ready = await new Promise<Record<string, unknown>>((resolve, reject) => {
    const unread: string[] = [];
    createInterface({ input: child.stderr }).on('line', (text) => {
      let line: Record<string, unknown>;
      try {
        line = JSON.parse(text) as Record<string, unknown>;
      } catch {
        // What ends a process early is said as a sentence.
        unread.push(text);
        return;
      }
      lines.push(line);
      if (isReady(line)) resolve(line);
    });
    exit.then(([code]) => reject(new Error(`${command.join(' ')} ended with ${code}: ${unread.join('\n')}`)), reject);
  });
  const stop = async (): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    return (await exit)[0];
  };
  return { child, lines, stop, ready };
}

export interface ProcessCluster {
  /** HOST:PORT for clients. */
  readonly address: string;
  /** HOST:PORT of the coordinator's metrics. */
  readonly metricsAddress: string;
  /** HOST:PORT of each worker's metrics. */
  readonly workerAddresses: readonly string[];
  readonly coordinator: LoggingProcess;
  readonly workers: readonly LoggingProcess[];
  stop(): Promise<void>;
}

const shardexCommand = (...args: string[]): string[] => [process.execPath, LAUNCHER, ...args];

const workerFlags = (coordinator: string): string[] => [
  ...['--coordinator', coordinator, '--threads', '1', '--memory', '1GiB', '--health-port', '0'],
];
const servesHealth = (line: Record<string, unknown>): boolean => typeof line['port'] === 'number';

/** A worker of one thread that serves its metrics on a free port. */
export const startWorker = (coordinator: string): ReturnType<typeof startLogging> =>
  startLogging(shardexCommand('worker', ...workerFlags(coordinator)), servesHealth);

/** The same, but comparisons from group `holdFrom` on wait until there is a file `release`. */
export const startHeldWorker = (
  coordinator: string,
  holdFrom: number,
  release: string,
): ReturnType<typeof startLogging> =>
  startLogging(
    [process.execPath, fileURLToPath(new URL('./held-worker.mjs', import.meta.url)), ...workerFlags(coordinator)],
    servesHealth,
    { SHARDEX_TEST_HOLD_FROM: String(holdFrom), SHARDEX_TEST_RELEASE: release },
  );

/**
 * A coordinator and workers as processes of their own, all of them serving metrics, on free ports of loopback.
 *
 * @param flags - more of them for the coordinator
 */
export async function startProcessCluster(workers: number, flags: readonly string[] = []): Promise<ProcessCluster> {
  const started: LoggingProcess[] = [];
  const stop = async (): Promise<void> => {
    // Workers first: they take their leave.
    for (const one of started.reverse()) await one.stop();
  };
  try {
    const coordinator = await startLogging(
      shardexCommand('coordinator', '--listen', `127.0.0.1:${await freePort()}`, '--metrics-port', '0', ...flags),
      (line) => typeof line['metrics'] === 'string',
    );
    started.push(coordinator);
    const address = String(coordinator.ready['address']);
    const workerProcesses = [];
    for (let i = 0; i < workers; i++) {
      const worker = await startWorker(address);
      started.push(worker);
      workerProcesses.push(worker);
    }
    return {
      address,
      metricsAddress: String(coordinator.ready['metrics']),
      workerAddresses: workerProcesses.map(({ ready }) => `127.0.0.1:${Number(ready['port'])}`),
      coordinator,
      workers: workerProcesses,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
