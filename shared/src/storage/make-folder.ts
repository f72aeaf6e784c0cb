import { mkdir, stat } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { InvalidInputError, toShardexError } from '../errors/index.js';

/**
 * The folders of a path that are not there yet, outermost first; none when it is a folder already.
 *
 * @throws InvalidInputError when the path, or something above it, is a file
 */
export async function missingFolders(path: string): Promise<string[]> {
  const missing: string[] = [];
  for (let at = path; ; at = dirname(at)) {
    try {
      if ((await stat(at)).isDirectory()) return missing;
      throw new InvalidInputError(`${at} is a file, not a folder`, { hint: 'choose another place' });
    } catch (error) {
      const code = codeOf(error);
      if ((code !== 'ENOENT' && code !== 'ENOTDIR') || dirname(at) === at)
        throw toShardexError(error, `looking for ${at}`);
      missing.unshift(at);
    }
  }
}

/**
 * Makes a folder with those above it.
 *
 * Node's own recursive `mkdir` never returns where the file system answers "no such file" to making a folder, as /proc does.
 *
 * @param within - a folder above it that has to be there: it is not made
 * @returns the folders that were made, outermost first
 * @throws InvalidInputError when it cannot be made here
 */
export async function makeFolder(path: string, within?: string): Promise<string[]> {
  const missing = await missingFolders(path);
  if (within !== undefined && missing.some((folder) => /^(\.\.|$)/.test(relative(within, folder)))) {
    throw new InvalidInputError(`the folder ${within} is gone`, { hint: 'run the job again' });
  }
  for (const folder of missing) {
    try {
      await mkdir(folder);
    } catch (error) {
      const code = codeOf(error);
      // Someone else was faster.
      if (code === 'EEXIST') continue;
      if (code !== 'ENOENT') throw toShardexError(error, `making the folder ${folder}`);
      throw new InvalidInputError(`the folder ${folder} cannot be made`, {
        hint: 'choose another place',
        cause: error,
      });
    }
  }
  return missing;
}

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
