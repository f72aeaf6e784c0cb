import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { observeTree } from './process-tree.mjs';

const TIME = '/usr/bin/time';
const LOOK_EVERY_MS = 100;
const IS_WORKER = /shardex\.mjs worker( |$)/;

/**
 * Runs a command as a whole process and measures it with everything it starts.
 *
 * - `wallSeconds`: from spawn to exit
 * - `cpuSeconds`: user and system time of the process and all descendants that were waited for, by GNU time; null without it
 * - `peakProcessBytes`: the largest resident set any single process had
 * - `peakTotalBytes`: the largest sum of resident sets at one time, looked at every 100 ms; shared pages count for each process
 * - `peakWorkerBytes`, `peakOtherBytes`: the same of processes that are `shardex worker`, and of all others; with
 *   `shardex de` the others are its coordinator
 * - `processes`: how many processes were seen
 *
 * @param {string[]} argv
 * @param {{ env?: Record<string, string> }} [options]
 * @throws when the command exits other than 0; the message ends with what it wrote to stderr
 */
export const measureProcess = async (argv, { env = {} } = {}) => {
  const folder = await mkdtemp(join(tmpdir(), 'shardex-time-'));
  const timesFile = join(folder, 'times');
  const command = existsSync(TIME) ? [TIME, '-f', '%U %S', '-o', timesFile, ...argv] : argv;
  try {
    const peaks = new Map();
    const workers = new Set();
    let peakTotalBytes = 0;
    const begin = performance.now();
    const child = spawn(command[0], command.slice(1), {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    });
    const look = () => {
      const seen = observeTree(child.pid).filter(({ command: line }) => !line.startsWith(TIME));
      peakTotalBytes = Math.max(
        peakTotalBytes,
        seen.reduce((sum, { residentBytes }) => sum + residentBytes, 0),
      );
      for (const { pid, command: line, peakResidentBytes } of seen) {
        peaks.set(pid, Math.max(peaks.get(pid) ?? 0, peakResidentBytes));
        if (IS_WORKER.test(line)) workers.add(pid);
      }
    };
    const timer = setInterval(look, LOOK_EVERY_MS);
    let errors = '';
    child.stderr.on('data', (chunk) => (errors = (errors + chunk).slice(-4000)));
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    }).finally(() => clearInterval(timer));
    const wallSeconds = (performance.now() - begin) / 1000;
    if (code !== 0) throw new Error(`exit ${code}: ${argv.join(' ')}\n${errors}`);
    return {
      wallSeconds,
      cpuSeconds: command === argv ? null : await readCpuSeconds(timesFile),
      peakProcessBytes: Math.max(0, ...peaks.values()),
      peakWorkerBytes: Math.max(0, ...[...peaks].map(([pid, bytes]) => (workers.has(pid) ? bytes : 0))),
      peakOtherBytes: Math.max(0, ...[...peaks].map(([pid, bytes]) => (workers.has(pid) ? 0 : bytes))),
      peakTotalBytes,
      processes: peaks.size,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const readCpuSeconds = async (path) => {
  const [user, system] = (await readFile(path, 'utf8')).trim().split('\n').at(-1).split(' ').map(Number);
  return user + system;
};
