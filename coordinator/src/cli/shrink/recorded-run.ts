import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DEFAULT_DE_PARAMETERS, type DeParameters } from '@shardex/shared/config';
import { InvalidInputError, toShardexError } from '@shardex/shared/errors';
import { openStore } from '@shardex/shared/storage';

/** What a results folder says of the run that made it. */
export interface RecordedRun {
  /** Parameters that the record does not know, because it is older, have their defaults. */
  readonly parameters: DeParameters;
  /** Of the shardex that made the results. */
  readonly version: string;
  readonly input: { readonly path: string; readonly bytes: number; readonly contentHash: string };
  /** All of `run.json`. */
  readonly json: Readonly<Record<string, unknown>>;
}

interface RunJson {
  readonly shardex: string;
  readonly input: { readonly path: string; readonly bytes: number; readonly content_hash: string };
  readonly parameters: Readonly<Record<string, { readonly value: unknown }>>;
}

/** @throws InvalidInputError when the folder has no record of a finished run, or an unreadable one */
export async function readRecordedRun(folder: string): Promise<RecordedRun> {
  let text: string;
  try {
    text = await readFile(join(folder, 'run.json'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw toShardexError(error, `reading ${folder}/run.json`);
    throw new InvalidInputError(`${folder} has no run.json`, {
      hint: 'name the folder of a finished run, the one that "shardex de --out" wrote',
    });
  }
  try {
    const json = JSON.parse(text) as RunJson;
    const { path, bytes, content_hash: contentHash } = json.input;
    const recorded = Object.entries(json.parameters).map(([name, { value }]) => [name, value] as const);
    const parameters = { ...DEFAULT_DE_PARAMETERS, ...Object.fromEntries(recorded) } as DeParameters;
    return { parameters, version: json.shardex, input: { path, bytes, contentHash }, json: { ...json } };
  } catch (error) {
    throw new InvalidInputError(`${folder}/run.json is no record of a run`, {
      cause: error,
      hint: 'name the folder that "shardex de --out" wrote',
    });
  }
}

/** Replaces one entry of `run.json`, atomically. */
export async function recordInRun(folder: string, run: RecordedRun, name: string, value: unknown): Promise<void> {
  const text = `${JSON.stringify({ ...run.json, [name]: value }, null, 2)}\n`;
  await openStore(folder).commit('run.json', [new TextEncoder().encode(text)]);
}
