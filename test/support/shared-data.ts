import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeWithPart } from './required-part.js';

const repositoryRoot = fileURLToPath(new URL('../../', import.meta.url));

/** Every folder above `start`, nearest first. */
const foldersAbove = (start: string): string[] => {
  const above = dirname(start);
  return above === start ? [] : [above, ...foldersAbove(above)];
};

const findSharedFolder = (): string | null => {
  const named = process.env['SHARDEX_SHARED_DIR'];
  const candidates = named ? [named] : foldersAbove(repositoryRoot).map((folder) => join(folder, 'shared'));
  return candidates.find((folder) => existsSync(join(folder, 'data', 'README.md'))) ?? null;
};

const sharedFolder = findSharedFolder();

/**
 * Path of a file in the folder of real data and reference tables that stands beside the checkout, or null where the folder
 * or the file is absent. `SHARDEX_SHARED_DIR` names the folder when it stands elsewhere.
 *
 * @param path relative to that folder, e.g. `data/papalexi_thp1_eccite.h5ad`
 */
export const sharedData = (path: string): string | null => {
  if (sharedFolder === null) return null;
  const found = join(sharedFolder, path);
  return existsSync(found) ? found : null;
};

/**
 * A suite that reads real data. Where the folder is absent the suite is skipped with one printed reason, or fails when
 * `SHARDEX_REQUIRE` lists `shared`. The body is not called then, so it may use `path` at once.
 *
 * @param body receives `path`, which is {@link sharedData} without the null: a name that does not exist fails its test on use
 */
export const describeWithShared = (name: string, body: (path: (relative: string) => string) => void): void => {
  describeWithPart({
    part: 'shared',
    name,
    probe: () => sharedFolder,
    reason: 'no folder of real data beside the checkout (SHARDEX_SHARED_DIR names it)',
    body: (folder) => body((relative) => join(folder, relative)),
  });
};

export { describeWithPeers, peerPython } from './peers.js';
