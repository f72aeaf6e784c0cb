import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidInputError, toShardexError } from '@shardex/shared/errors';
import { isS3Uri, openStore, S3Store } from '@shardex/shared/storage';
import { RESULT_FILES } from '../planner/job-folder.js';
import type { ReductionScope } from './scratch.js';

/** Where results are written, and how they become visible. */
export interface OutputFolder {
  /** A local folder that takes positioned writes. */
  readonly path: string;
  /** Makes complete files visible and removes those of an earlier run. */
  publish(names: readonly string[]): Promise<void>;
  /** Writes `run.json`, which says that all is there. */
  finish(record: Uint8Array): Promise<void>;
  /** Removes what is only local. */
  close(): Promise<void>;
}

/** The output folder itself, or a local one whose files are uploaded to the output on S3. */
export async function openOutputFolder(scope: ReductionScope): Promise<OutputFolder> {
  const { output } = scope.context.parameters;
  return isS3Uri(output) ? openStagingFolder(output, scope.store.uri) : localFolder(output);
}

function localFolder(path: string): OutputFolder {
  return {
    path,
    async publish(names) {
      for (const name of staleResults(names)) await rm(join(path, name), { force: true });
    },
    finish: (record) => openStore(path).commit('run.json', [record]),
    close: () => Promise.resolve(),
  };
}

/** Results are written to scratch where that is local, which has room for them; otherwise to the system's temporary folder. */
async function openStagingFolder(output: string, scratch: string): Promise<OutputFolder> {
  const store = new S3Store(output);
  const place = isS3Uri(scratch) ? tmpdir() : scratch;
  const path = await mkdtemp(join(place, 'shardex-results-')).catch((error: unknown) => {
    throw toShardexError(error, `making a folder in ${place}`);
  });
  return {
    path,
    async publish(names) {
      // From here on nobody finds a whole run, neither the old nor the new one.
      await store.removeAll('run.json');
      for (const name of names) await store.upload(name, join(path, name));
      for (const name of staleResults(names)) await store.removeAll(name);
      await store.abortUploads((name) => names.includes(name));
    },
    async finish(record) {
      if (await store.commitNew('run.json', [record])) return;
      throw new InvalidInputError(`another run has written results to ${output} meanwhile`, {
        hint: 'run again with another --out, or with --force once the other run has ended',
      });
    },
    close: () => rm(path, { recursive: true, force: true }),
  };
}

const staleResults = (written: readonly string[]): string[] =>
  RESULT_FILES.filter((name) => name !== 'run.json' && !written.includes(name));
