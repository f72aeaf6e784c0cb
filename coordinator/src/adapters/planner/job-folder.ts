import { createHash } from 'node:crypto';
import { access, constants, readdir, rm, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { DeParameters } from '@shardex/shared/config';
import { InvalidInputError, toShardexError } from '@shardex/shared/errors';
import { isS3Uri, joinUri, makeFolder, missingFolders, openStore, S3Store } from '@shardex/shared/storage';
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
  const { output, scratch } = parameters;
  if (scratch === null) return joinUri(output, DEFAULT_SCRATCH);
  return joinUri(scratch, `shardex-${shortHash(isS3Uri(output) ? output : resolve(output))}`);
}

/**
 * Where one run's intermediate files are. Runs that differ in anything that shows in the results have folders of their
 * own, so that nothing of one can be taken for the other's.
 *
 * @param identity - whatever the results depend on
 */
export function scratchFolder(parameters: DeParameters, identity: string): string {
  return joinUri(scratchRoot(parameters), shortHash(identity));
}

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** Results that are in the output folder already. @throws InvalidInputError when it is a file, or below one */
export async function existingResults(output: string): Promise<string[]> {
  if (isS3Uri(output)) {
    const store = openStore(output);
    const present = await Promise.all(RESULT_FILES.map((name) => store.exists(name)));
    return RESULT_FILES.filter((_, i) => present[i]);
  }
  if ((await missingFolders(output)).length > 0) return [];
  try {
    const present = new Set(await readdir(output));
    return RESULT_FILES.filter((name) => present.has(name));
  } catch (error) {
    throw toShardexError(error, `reading ${output}`);
  }
}

/**
 * Makes the output folder and checks that it can be written, before any work is done.
 *
 * @returns the folders that were made, outermost first
 * @throws InvalidInputError when it is no folder, or cannot be written
 */
export async function makeOutput(output: string): Promise<string[]> {
  if (isS3Uri(output)) {
    await new S3Store(output).requireWritable();
    return [];
  }
  const made = await makeFolder(output);
  try {
    await access(output, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw toShardexError(error, `writing to the folder ${output}`);
  }
  return made;
}

/**
 * Removes what a killed run left half-written: temporary files, or unfinished uploads. Only for whoever holds the lock of
 * the folder.
 *
 * @throws InvalidInputError when there are results and neither --force nor --resume was given
 */
export async function clearOutput(output: string, existing: ExistingOutput): Promise<void> {
  const results = await existingResults(output);
  if (results.length > 0 && existing === 'refuse') {
    throw new InvalidInputError(`${output} already holds results (${results.join(', ')})`, {
      hint: 'choose another --out, replace them with --force, or continue an unfinished run with --resume',
    });
  }
  if (isS3Uri(output)) return new S3Store(output).abortUploads((name) => RESULT_FILES.some((file) => file === name));
  try {
    const stale = (await readdir(output)).filter(isHalfWritten);
    for (const name of stale) await rm(join(output, name), { force: true });
  } catch (error) {
    throw toShardexError(error, `writing to the folder ${output}`);
  }
}

/** Whether this is the hidden name of a result file that was never finished. */
const isHalfWritten = (name: string): boolean =>
  name.endsWith('.partial') && RESULT_FILES.some((file) => name.startsWith(`.${file}.`));

/** Removes folders, innermost first, as far as they are empty. @param folders - outermost first */
export async function removeEmptyFolders(folders: readonly string[]): Promise<void> {
  for (const folder of [...folders].reverse()) {
    try {
      await rmdir(folder);
    } catch {
      // It holds something, or is gone: either way there is nothing to tidy up here.
      return;
    }
  }
}

/** Checks that scratch can be there. @throws InvalidInputError when something above it is a file */
export async function requireScratchPlace(root: string): Promise<void> {
  if (!isS3Uri(root)) await missingFolders(root);
}

/** Makes the scratch folder; a bucket has none. @returns the folders that were made, outermost first */
export async function makeScratch(root: string): Promise<string[]> {
  return isS3Uri(root) ? [] : makeFolder(root);
}

/** Removes a scratch folder and everything in it; an absent one is no error. */
export async function removeScratch(folder: string): Promise<void> {
  await openStore(folder).removeAll('');
}
