import { SCRATCH_NAMES, type JobContext } from '@shardex/shared/artifacts';
import type { DeParameters } from '@shardex/shared/config';
import { InvalidInputError } from '@shardex/shared/errors';
import { openStore } from '@shardex/shared/storage';
import { withArtifact } from '../reductions/scratch.js';
import { scratchRoot } from './job-folder.js';

/** What results depend on, of a run that was begun before. */
interface EarlierRun {
  readonly version: string;
  readonly inputVersion: string;
  readonly parameters: Readonly<Partial<Record<keyof DeParameters, unknown>>>;
}

/** The parts of `run.json` that tell one run from another. */
interface RunRecord {
  readonly shardex: string;
  readonly input: { readonly version: string };
  readonly parameters: Readonly<Partial<Record<keyof DeParameters, { readonly value: unknown }>>>;
}

/**
 * With `--resume`, a run goes on, or is made again, only with what it was begun with.
 *
 * @param existing - `continue`: the run is this job's own, whatever results of an earlier one it is going to replace
 *
 * @throws InvalidInputError naming what differs from the unfinished or finished run into the same folder
 */
export async function requireSameRun(context: JobContext, existing: 'resume' | 'continue'): Promise<void> {
  const finished = existing === 'resume' ? await finishedRun(context.parameters.output) : null;
  const runs = finished === null ? await unfinishedRuns(context.parameters) : [finished];
  const differences = runs.map((run) => differencesOf(run, context));
  if (differences.length === 0 || differences.some((differing) => differing.length === 0)) return;
  const which = finished === null ? 'unfinished run' : 'finished run';
  throw new InvalidInputError(`the ${which} in ${context.parameters.output} differs in: ${differences[0].join(', ')}`, {
    hint: 'repeat the command it was started with, or begin anew with --force',
  });
}

async function unfinishedRuns(parameters: DeParameters): Promise<EarlierRun[]> {
  const root = openStore(scratchRoot(parameters));
  const names = (await root.list('')).filter((name) => name.endsWith(`/${SCRATCH_NAMES.context}`));
  return Promise.all(
    names.map((name) => withArtifact<JobContext, JobContext>(root, name, ({ meta }) => Promise.resolve(meta))),
  );
}

/** null when the folder holds no finished run. */
async function finishedRun(output: string): Promise<EarlierRun | null> {
  const store = openStore(output);
  if (!(await store.exists('run.json'))) return null;
  const text = new TextDecoder().decode(await store.readAll('run.json'));
  let record: RunRecord;
  try {
    record = JSON.parse(text) as RunRecord;
  } catch (error) {
    throw new InvalidInputError(`${output}/run.json is no record of a run`, {
      cause: error,
      hint: 'choose another --out, or replace what is there with --force',
    });
  }
  const values = Object.entries(record.parameters).map(([name, parameter]) => [name, parameter.value] as const);
  return {
    version: record.shardex,
    inputVersion: record.input.version,
    parameters: Object.fromEntries(values),
  };
}

function differencesOf(before: EarlierRun, now: JobContext): string[] {
  const names = Object.keys(now.parameters) as (keyof DeParameters)[];
  const differing: string[] = names.filter(
    (name) => JSON.stringify(now.parameters[name]) !== JSON.stringify(before.parameters[name]),
  );
  if (before.version !== now.version) differing.push('version of shardex');
  if (before.inputVersion !== now.inputVersion) differing.push('input file');
  return differing;
}
