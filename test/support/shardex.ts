import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runEmbedded, type EmbeddedTuning } from '@shardex/coordinator/embedded';
import { DEFAULT_DE_PARAMETERS, type DeParameters } from '@shardex/shared/config';

export const LAUNCHER = fileURLToPath(new URL('../../coordinator/bin/shardex.mjs', import.meta.url));

export interface CliOutcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built command line to its end. */
export function shardex(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<CliOutcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [LAUNCHER, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    const [stdout, stderr] = [[] as Buffer[], [] as Buffer[]];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.once('error', reject);
    child.once('close', (exitCode) =>
      resolve({ exitCode, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }),
    );
  });
}

/** A folder that is removed when `body` has settled. */
export async function withFolder<Result>(body: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const SMALL_SCREEN = '--cells 1500 --genes 300 --perturbations 12 --depth 600 --seed 7';

/** A simulated screen small enough for seconds, large enough for several tasks a stage. */
export async function simulatedScreen(folder: string, sizes = SMALL_SCREEN): Promise<string> {
  const path = join(folder, 'screen.h5ad');
  const outcome = await shardex(['simulate', path, ...sizes.split(' ')]);
  if (outcome.exitCode !== 0) throw new Error(`simulate failed: ${outcome.stderr}`);
  return path;
}

export interface ClusterRun extends EmbeddedTuning {
  readonly workers?: number;
  readonly parameters?: Partial<DeParameters>;
  readonly existingOutput?: 'refuse' | 'force' | 'resume';
  /** Aborted: the job is cancelled. */
  readonly signal?: AbortSignal;
  /** Called at every change of the job. */
  readonly onUpdate?: Parameters<typeof runEmbedded>[2];
}

/** Runs `de` on an embedded cluster and returns the job as it ended. */
export async function runCluster(input: string, output: string, run: ClusterRun = {}) {
  const parameters = { ...DEFAULT_DE_PARAMETERS, input, output, ...run.parameters };
  const { job } = await runEmbedded(
    parameters,
    { workers: run.workers ?? 1, memoryBytes: 2 ** 30, existingOutput: run.existingOutput ?? 'refuse' },
    run.onUpdate ?? (() => undefined),
    run.signal ?? new AbortController().signal,
    run,
  );
  return job;
}

/** SHA-256 of each file. */
export async function hashes(folder: string, files: readonly string[]): Promise<Record<string, string>> {
  const entries = files.map(async (file) => {
    const bytes = await readFile(join(folder, file));
    return [file, createHash('sha256').update(bytes).digest('hex')] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}
