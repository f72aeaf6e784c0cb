import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';

const output = (command, ...args) => {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return null;
  }
};

const PEER_VERSIONS = `
import importlib.metadata as m
names = ["crispyx", "scanpy", "illico", "pydeseq2", "anndata", "h5py"]
print(", ".join(f"{n} {m.version(n)}" for n in names))`;

/**
 * What a figure depends on beside the code: commit, machine, versions.
 *
 * @param {string | null} python the peers' Python
 * @returns {[name: string, value: string][]}
 */
export const describeMachine = (python) => {
  const commit = output('git', 'rev-parse', '--short', 'HEAD') ?? 'unknown';
  const changed = output('git', 'status', '--porcelain', '--untracked-files=no');
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return [
    ['commit', `${commit}${changed ? ' with changes' : ''}, ${new Date().toISOString().slice(0, 10)}`],
    [
      'machine',
      `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, ${gibibytes(totalmem())} GiB`,
    ],
    ['system', `${type()} ${release()}, Node ${process.versions.node}`],
    ['shardex', version],
    ['peers', (python && output(python, '-c', PEER_VERSIONS)) ?? 'absent: SHARDEX_PEER_PYTHON is not set'],
  ];
};

const gibibytes = (bytes) => (bytes / 2 ** 30).toFixed(0);
