import { createHash } from 'node:crypto';
import { access, constants, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { DeParameters } from '@shardex/shared/config';
import { InvalidInputError, toShardexError } from '@shardex/shared/errors';
import type { ExistingOutput } from '../../domain/index.js';

/** Files that make a folder a results folder. */
export const RESULT_FILES = [
  'nb_glm.h5ad',
  'wilcoxon.h5ad',
  't_test.h5ad',
  'nb_glm.csv',
  'wilcoxon.csv',
  't_test.csv',
  'nb_glm.parquet',
  'wilcoxon.parquet',
  't_test.parquet',
  'cells.parquet',
  'run.json',
] as const;

/** Hidden folder inside the output folder where intermediate files go by default. */
const DEFAULT_SCRATCH = '.shardex-scratch';

/** The folder that holds the intermediate files of every run into one output folder. */
export function scratchRoot(parameters: DeParameters): string {
  if (parameters.scratch === null) return join(parameters.output, DEFAULT_SCRATCH);
  return join(parameters.scratch, `shardex-${shortHash(resolve(parameters.output))}`);
}

/**
 * Where one run's intermediate files are. Runs that differ in anything that shows in the results have folders of their
 * own, so that nothing of one can be taken for the other's.
 *
 * @param identity - whatever the results depend on
 */
export function scratchFolder(parameters: DeParameters, identity: string): string {
  return join(scratchRoot(parameters), shortHash(identity));
}

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** Results that are in the output folder already. */
export async function existingResults(output: string): Promise<string[]> {
  try {
    const present = new Set(await readdir(output));
    return RESULT_FILES.filter((name) => present.has(name));
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT') return [];
    throw toShardexError(error, `reading ${output}`);
  }
}

/**
 * Makes the output folder and checks that it can be written, before any work is done.
 *
 * @throws InvalidInputError when it holds results and neither --force nor --resume was given, or cannot be written
 */
export async function claimOutput(output: string, existing: ExistingOutput): Promise<void> {
  const results = await existingResults(output);
  if (results.length > 0 && existing === 'refuse') {
    throw new InvalidInputError(`${output} already holds results (${results.join(', ')})`, {
      hint: 'choose another --out, replace them with --force, or continue an unfinished run with --resume',
    });
  }
  try {
    await mkdir(output, { recursive: true });
    if (!(await stat(output)).isDirectory()) throw new InvalidInputError(`${output} is not a folder`);
    await access(output, constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : '';
    if (code === 'EEXIST' || code === 'ENOTDIR') {
      throw new InvalidInputError(`${output} is a file, not a folder`, { hint: 'choose another --out', cause: error });
    }
    throw toShardexError(error, `making the output folder ${output}`);
  }
}

/** Removes a scratch folder and everything in it; an absent one is no error. */
export async function removeScratch(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true });
  } catch (error) {
    throw toShardexError(error, `removing ${folder}`);
  }
}
