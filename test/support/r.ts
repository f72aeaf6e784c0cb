import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { describeWithPart } from './required-part.js';

const PROBE = 'quit(status = !requireNamespace("coin", quietly = TRUE))';

let hasCoin: boolean | undefined;

const rscript = (): string | null => {
  try {
    if (hasCoin === undefined) execFileSync('Rscript', ['-e', PROBE], { stdio: 'ignore' });
    hasCoin ??= true;
  } catch {
    hasCoin = false;
  }
  return hasCoin ? 'Rscript' : null;
};

/** Runs an R script; its arguments are `commandArgs(TRUE)`. @returns what it prints @throws what `execFile` throws */
export const runR = async (script: string, args: readonly string[]): Promise<string> =>
  (await promisify(execFile)('Rscript', ['-e', script, ...args], { maxBuffer: 1 << 28 })).stdout;

/** A suite that compares with R and its package coin; without them it is skipped with one printed reason. */
export const describeWithR = (name: string, body: () => void): void => {
  describeWithPart({ part: 'r', name, probe: rscript, reason: 'there is no Rscript with the package coin', body });
};
