import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { describeWithPart } from './required-part.js';

// find_spec instead of an import: anndata takes over a second to load, and every test file would pay it.
const PROBE = 'import importlib.util, sys; sys.exit(importlib.util.find_spec("anndata") is None)';

let cached: string | null | undefined;

/**
 * The Python that has the peers installed (scanpy, crispyx, PyDESeq2, illico, anndata, mpmath, pyarrow), from
 * `SHARDEX_PEER_PYTHON`, or null where that is unset or cannot import anndata.
 */
export const peerPython = (): string | null => {
  if (cached !== undefined) return cached;
  const python = process.env['SHARDEX_PEER_PYTHON'];
  cached = null;
  if (!python) return cached;
  try {
    execFileSync(python, ['-c', PROBE], { stdio: 'ignore' });
    cached = python;
  } catch {
    // Absent or without anndata: both mean the same to a suite, and its reason names the setting.
  }
  return cached;
};

/**
 * Runs a script with the peers' Python and parses what it prints as JSON. Single-threaded, so that timings and sums repeat.
 *
 * @param script the source; its arguments are in `sys.argv[1:]`
 * @throws what `execFile` throws, with the script's own traceback in `stderr`, when it exits other than 0
 */
export const runPeerScript = async <Result>(
  python: string,
  script: string,
  args: readonly string[] = [],
): Promise<Result> => {
  const { stdout } = await promisify(execFile)(python, ['-c', script, ...args], {
    maxBuffer: 1 << 28,
    env: {
      ...process.env,
      OMP_NUM_THREADS: '1',
      OPENBLAS_NUM_THREADS: '1',
      NUMBA_NUM_THREADS: '1',
      PYTHONWARNINGS: 'ignore',
    },
  });
  return JSON.parse(stdout) as Result;
};

/**
 * A suite that compares with the peers. Without them it is skipped with one printed reason, or fails when
 * `SHARDEX_REQUIRE` lists `peers`.
 *
 * @param body receives the path of the peers' Python
 */
export const describeWithPeers = (name: string, body: (python: string) => void): void => {
  describeWithPart({
    part: 'peers',
    name,
    probe: peerPython,
    reason: 'SHARDEX_PEER_PYTHON does not name a Python that has anndata',
    body,
  });
};
