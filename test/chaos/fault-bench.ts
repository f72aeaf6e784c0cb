import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { JobService } from '@shardex/proto';
import { connectRpc, unaryCall } from '@shardex/shared/rpc';
import { acceptedJob, addressOf, freePort, LoggingProcess, type LogLine } from '../support/standing-cluster.js';
import { hashes, shardex } from '../support/shardex.js';
import { descriptorsBeyond, MARK, markedProcesses, openDescriptors } from './leaks.js';

export const FILES = ['nb_glm.h5ad', 'wilcoxon.h5ad', 't_test.h5ad', 'cells.parquet'];
export const TASK_STAGES = ['scan', 'control', 'dispersion', 'fit'];
export const STAGES = ['scan', 'size-factors', 'control', 'dispersion', 'trend', 'fit', 'merge'];

/** About 1.3 million nonzeros: twenty tasks a stage, each long enough to be hit. */
const SCREEN = ['--cells', '6000', '--genes', '600', '--perturbations', '24', '--depth', '1200', '--seed', '7'];
const TASK_NONZEROS = '60000';
/** Short, so that what is silent is given up soon; long enough for a process that waits for a core. */
export const LEASE_MS = 4_000;
/** What has to happen by itself gets so long; nothing is judged by how long it takes. */
const SETTLING = { timeout: 60_000, interval: 100 };

export interface CoordinatorStart {
  /** HOST:PORT; default: a free one. */
  readonly at?: string;
  readonly more?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly within?: readonly string[];
}
export interface WorkerStart {
  readonly environment?: Readonly<Record<string, string>>;
  readonly within?: readonly string[];
}

export interface SubmitOptions {
  /** Options of `shardex de`. */
  readonly more?: readonly string[];
  /** What starts the client, as `ip netns exec NAME`. */
  readonly within?: readonly string[];
}
/** A worker that was stopped, and the grant of what it holds. */
export interface FrozenWorker {
  readonly victim: LoggingProcess;
  readonly held: LogLine;
}

export const ended = (line: LogLine): boolean =>
  ['job-succeeded', 'job-failed', 'job-cancelled'].includes(String(line.event));
export const isTasks = (stage: string): boolean => TASK_STAGES.includes(stage);
/** A worker is on the stage, or the coordinator. */
export const reached = (stage: string) => (line: LogLine) =>
  line['stage'] === stage && line.event === (isTasks(stage) ? 'task-granted' : 'stage-started');

/**
 * A screen, what a run without faults makes of it, and the processes of the tests: everything that was started carries a
 * mark, and whatever of it is left when a test is over is a leak.
 */
export class FaultBench {
  readonly mark = randomUUID();
  /** `TMPDIR` of every process. */
  readonly temporary: string;
  readonly #running: LoggingProcess[] = [];
  readonly #descriptors = new Map<LoggingProcess, readonly string[]>();
  #count = 0;
  /** The job that was submitted last. */
  #job = '';

  private constructor(
    readonly folder: string,
    readonly screen: string,
    readonly expected: Readonly<Record<string, string>>,
    readonly bytes: number,
    /** Time of the run without faults. */
    readonly wholeSeconds: number,
  ) {
    this.temporary = join(folder, 'temporary');
  }

  /** Simulates the screen and runs it without faults. */
  static async open(size: readonly string[] = SCREEN, workers = 1): Promise<FaultBench> {
    const folder = await mkdtemp(join(tmpdir(), 'shardex-chaos-'));
    await mkdir(join(folder, 'temporary'));
    const screen = join(folder, 'screen.h5ad');
    const whole = join(folder, 'whole');
    const simulated = await shardex(['simulate', screen, ...size, '--quiet']);
    expect(simulated.exitCode, simulated.stderr).toBe(0);
    const beganMs = performance.now();
    const outcome = await shardex(['de', screen, '--out', whole, '--workers', `${workers}`, '--quiet']);
    const wholeSeconds = (performance.now() - beganMs) / 1000;
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const sizes = await Promise.all(FILES.map(async (file) => (await stat(join(whole, file))).size));
    const bytes = sizes.reduce((sum, one) => sum + one, 0);
    return new FaultBench(folder, screen, await hashes(whole, FILES), bytes, wholeSeconds);
  }

  async close(): Promise<void> {
    await this.killAll();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Ends whatever a test left, in any state. */
  async killAll(): Promise<void> {
    for (const one of this.#running) one.kill('SIGKILL');
    await Promise.all(this.#running.splice(0).map(({ exited }) => exited));
    this.#descriptors.clear();
  }

  /** A folder for one test's results, with the state of its coordinator beside it. */
  place(): { readonly output: string; readonly state: string } {
    const number = ++this.#count;
    return { output: join(this.folder, `out-${number}`), state: join(this.folder, `state-${number}`) };
  }

  start(args: readonly string[], { environment = {}, within = [] }: WorkerStart = {}): LoggingProcess {
    const surroundings = { [MARK]: this.mark, TMPDIR: this.temporary, ...environment };
    const one = new LoggingProcess(args, { environment: surroundings, within });
    this.#running.push(one);
    return one;
  }

  /** Starts a coordinator and waits until it listens. */
  async coordinator(state: string | null, start: CoordinatorStart = {}): Promise<LoggingProcess> {
    const at = start.at ?? `127.0.0.1:${await freePort()}`;
    const keep = state === null ? [] : ['--state', state];
    const options = ['--lease-ms', `${LEASE_MS}`, '--task-nonzeros', TASK_NONZEROS, '--log-level', 'debug'];
    const one = this.start(['coordinator', '--listen', at, ...keep, ...options, ...(start.more ?? [])], start);
    await addressOf(one);
    this.#descriptors.set(one, openDescriptors(one.pid));
    return one;
  }

  worker(address: string, start: WorkerStart = {}): LoggingProcess {
    const options = ['--threads', '1', '--memory', '512MiB', '--log-level', 'debug'];
    return this.start(['worker', '--coordinator', address, ...options], start);
  }

  /** Starts workers and waits until all of them are registered. */
  async workers(address: string, count: number): Promise<LoggingProcess[]> {
    const all = Array.from({ length: count }, () => this.worker(address));
    await Promise.all(all.map((one) => one.said((line) => line.text === 'registered')));
    return all;
  }

  /** Submits a job and returns its id as soon as it is accepted; nobody follows it. */
  async submit(
    coordinator: LoggingProcess,
    output: string,
    { more = [], within = [] }: SubmitOptions = {},
  ): Promise<string> {
    const place = ['--out', output, '--coordinator', await addressOf(coordinator)];
    const client = this.start(['de', this.screen, ...place, '--json', ...more], { within });
    const job = await acceptedJob(client);
    client.kill('SIGKILL');
    await client.exited;
    this.#job = job;
    return job;
  }

  /**
   * Submits a job for a fault to hit. A stage takes milliseconds, for which a test on a busy machine may be late: the job is
   * submitted again then.
   *
   * @param hit - what hits the job whose lines begin at `from`; null: too late
   * @throws when the fault was late three times
   */
  async submitAndHit<T>(
    coordinator: LoggingProcess,
    output: string,
    hit: (from: number) => Promise<T | null>,
    { more = [], within = [] }: SubmitOptions = {},
  ): Promise<T> {
    for (const again of [[], ['--force'], ['--force']]) {
      const from = coordinator.lines.length;
      await this.submit(coordinator, output, { more: [...more, ...again], within });
      const fault = await hit(from);
      if (fault !== null) return fault;
      await this.end(coordinator);
    }
    throw new Error(`the fault came too late, three times:\n${coordinator.stderr}`);
  }

  /** Submits a job and stops a worker (SIGSTOP) in the middle of a task of this stage, as `freezeWorker`. */
  submitAndFreeze(
    coordinator: LoggingProcess,
    workers: readonly LoggingProcess[],
    output: string,
    stage: string,
  ): Promise<FrozenWorker> {
    return this.submitAndHit(coordinator, output, (from) => freezeWorker(coordinator, workers, stage, from));
  }

  /** Waits for the end of the job that was submitted last. */
  end(coordinator: LoggingProcess): Promise<LogLine> {
    return coordinator.said((line) => ended(line) && line['job'] === this.#job);
  }

  /**
   * The job ended well, its files are those of the run without faults, and nothing else lies in its folder.
   *
   * @param fault - a row of the record that is printed
   */
  async survived(coordinator: LoggingProcess, output: string, fault: string): Promise<void> {
    const end = await this.end(coordinator);
    expect(end, coordinator.stderr).toMatchObject({ event: 'job-succeeded' });
    await this.sameBytes(output, fault);
  }

  async sameBytes(output: string, fault: string): Promise<void> {
    expect(await hashes(output, FILES)).toEqual(this.expected);
    process.stderr.write(`chaos: ${fault}: survived, ${this.bytes} bytes are the same\n`);
  }

  /**
   * Everything ends in order when it is asked to, and leaves nothing: the coordinator's descriptors go back to those of
   * its start once the workers have left, then no process, temporary file, lock or scratch is there.
   */
  async leavesNothing(coordinator: LoggingProcess, output: string | null = null, state: string | null = null) {
    const others = this.#running.filter((one) => one !== coordinator && !one.isOver);
    for (const one of others) one.kill('SIGTERM');
    for (const one of others) expect(await one.exited, one.stderr).toBe(0);
    const before = this.#descriptors.get(coordinator) ?? [];
    await vi.waitFor(() => expect(descriptorsBeyond(coordinator.pid, before)).toEqual([]), SETTLING);
    coordinator.kill('SIGTERM');
    expect(await coordinator.exited, coordinator.stderr).toBe(0);
    await vi.waitFor(() => expect(markedProcesses(this.mark)).toEqual([]), SETTLING);
    expect(await readdir(this.temporary)).toEqual([]);
    if (output !== null) expect((await readdir(output)).sort()).toEqual([...FILES, 'run.json'].sort());
    if (state !== null && existsSync(state))
      expect((await readdir(state)).filter((name) => name.startsWith('.shardex'))).toEqual([]);
  }
}

/** The process that registered under this id. */
export function workerCalled(workers: readonly LoggingProcess[], id: unknown): LoggingProcess {
  const found = workers.find((one) => one.lines.some((line) => line.text === 'registered' && line['worker'] === id));
  if (found === undefined) throw new Error(`none of these processes is worker ${String(id)}`);
  return found;
}

/**
 * Stops a worker (SIGSTOP) in the middle of a task of the stage.
 *
 * A worker that turns out to stand between two tasks goes on, and the next grant is tried.
 *
 * @param begin - lines before this one are of earlier jobs
 * @returns null when the job ended before a task was hit
 */
export async function freezeWorker(
  coordinator: LoggingProcess,
  workers: readonly LoggingProcess[],
  stage: string,
  begin = 0,
): Promise<FrozenWorker | null> {
  const client = connectRpc(await addressOf(coordinator));
  try {
    for (let from = begin; ;) {
      const grant = await coordinator.said((line) => reached(stage)(line) || ended(line), from);
      if (ended(grant)) return null;
      const victim = workerCalled(workers, grant['worker']);
      victim.kill('SIGSTOP');
      // What it had sent is answered before this is.
      for (let i = 0; i < 3; i++) await unaryCall(client, JobService.method.listJobs, { limit: 1 });
      const held = lastGrantTo(coordinator, grant['worker']);
      const isDone = coordinator.lines.some(({ event, task }) => event === 'task-done' && task === held['task']);
      if (held['stage'] === stage && !isDone) return { victim, held };
      victim.kill('SIGCONT');
      from = coordinator.lines.length;
    }
  } finally {
    client.close();
  }
}

function lastGrantTo(coordinator: LoggingProcess, worker: unknown): LogLine {
  const found = coordinator.lines.findLast((line) => line.event === 'task-granted' && line['worker'] === worker);
  if (found === undefined) throw new Error(`nothing was granted to ${String(worker)}`);
  return found;
}

/** Waits until the task of a worker that is silent was taken from it. */
export function givenUp(coordinator: LoggingProcess, held: LogLine): Promise<LogLine> {
  return coordinator.said(
    (line) =>
      (line.event === 'task-retried' || line.event === 'task-split') &&
      line['task'] === held['task'] &&
      line['attempt'] === held['attempt'] &&
      line['reason'] === 'WorkerLost',
  );
}
