import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './source-files.js';

/** Paths that git tracks, from the root, sorted; null where this is not a checkout (an unpacked archive). */
export const trackedFiles = (): string[] | null => {
  try {
    const listed = execFileSync('git', ['ls-files', '-z'], { cwd: repositoryRoot, encoding: 'utf8', stdio: 'pipe' });
    return listed.split('\0').filter((path) => path !== '' && existsSync(join(repositoryRoot, path)));
  } catch {
    return null;
  }
};
