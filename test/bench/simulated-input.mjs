import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const shardex = fileURLToPath(new URL('../../coordinator/bin/shardex.mjs', import.meta.url));

/** Inputs and outputs of the benchmarks; `SHARDEX_BENCH_DIR` names another place. */
export const benchFolder = process.env.SHARDEX_BENCH_DIR ?? join(tmpdir(), 'shardex-bench');

/** `{ cells: 20000, genes: 5000 }` → `['--cells', '20000', '--genes', '5000']` */
const flags = (parameters) => Object.entries(parameters).flatMap(([name, value]) => [`--${name}`, String(value)]);

/**
 * Path of a simulated screen with these parameters of `shardex simulate`. It is made once: the name says the parameters.
 *
 * @param {Record<string, number>} parameters such as `{ cells: 20000, genes: 5000, perturbations: 50, seed: 1 }`
 */
export const simulatedInput = (parameters) => {
  mkdirSync(benchFolder, { recursive: true });
  const name = Object.entries(parameters).map(([key, value]) => `${key}-${value}`);
  const path = join(benchFolder, `${name.join('_')}.h5ad`);
  if (existsSync(path)) return path;
  const partial = join(benchFolder, `partial-${process.pid}.h5ad`);
  execFileSync(process.execPath, [shardex, 'simulate', partial, ...flags(parameters), '--quiet'], { stdio: 'inherit' });
  renameSync(partial, path);
  return path;
};
