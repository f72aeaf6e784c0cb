import { mkdtemp, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { requireCombination, type DeParameters, type ShrinkPrior } from '@shardex/shared/config';
import { InvalidInputError, InvariantBrokenError, toShardexError } from '@shardex/shared/errors';
import { readObsColumn } from '@shardex/shared/h5ad';
import { PRIOR_SCALE_COLUMN, type Shrinkage } from '../../domain/index.js';
import { ResultFile, type ResultRows } from '../results/result-file.js';
import { rowRuns } from '../results/tidy-rows.js';
import { readRecordedRun, type RecordedRun } from './recorded-run.js';
import type { ShrunkenRows } from './shrunken-rows.js';

const SHRUNKEN = ['logfoldchange_shrunk', 'standard_error_shrunk'];

/**
 * Shrinks by the likelihood of the counts: the recorded run is made again, its NB-GLM only and with shrinkage, in a folder
 * beside the results that is removed afterwards; what it computed besides has to be what the results hold.
 *
 * @param file - the results' NB-GLM
 * @param runJob - runs `de` and settles when it has succeeded
 * @param use - what to do with the shrunken rows while they are there
 * @throws InvalidInputError when the input is gone or has changed, or the run no longer gives the recorded results
 */
export async function shrinkCounts(
  folder: string,
  file: ResultFile,
  run: RecordedRun,
  prior: ShrinkPrior,
  runJob: (parameters: DeParameters) => Promise<void>,
  use: (rows: ShrunkenRows) => Promise<void>,
): Promise<void> {
  const parameters: DeParameters = {
    ...run.parameters,
    tests: ['nb-glm'],
    formats: ['h5ad'],
    scanpy: false,
    layers: 'default',
    shrink: 'apeglm',
    shrinkPrior: prior,
  };
  requireCombination(parameters);
  await requireInput(run);
  const output = await makeSibling(folder);
  try {
    await runJob({ ...parameters, output });
    const again = await readRecordedRun(output);
    if (again.input.contentHash !== run.input.contentHash) throw changedInput(run);
    const shrunken = await ResultFile.open(output, 'nb-glm');
    try {
      await requireSameResults(file, shrunken, folder);
      await use(await rowsOf(shrunken, again, prior));
    } finally {
      await shrunken.close();
    }
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

async function requireInput(run: RecordedRun): Promise<void> {
  const { path, bytes } = run.input;
  // An object of a store has a size only its reader knows; the content hash decides there.
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(path)) return;
  const found = await stat(path).catch(() => null);
  if (found === null) {
    throw new InvalidInputError(`${path}, the input of the recorded run, is not there`, {
      hint: 'put it back, or use --method stats, which needs the results only',
    });
  }
  if (found.size !== bytes) throw changedInput(run);
}

const changedInput = ({ input }: RecordedRun): InvalidInputError =>
  new InvalidInputError(`${input.path} is no longer the file that the results were computed from`, {
    hint: 'run "shardex de" again on the new one, or use --method stats, which needs the results only',
  });

async function makeSibling(folder: string): Promise<string> {
  try {
    return await mkdtemp(join(dirname(folder), `.${basename(folder)}.shrink-`));
  } catch (error) {
    throw toShardexError(error, `making a folder beside ${folder}`);
  }
}

/** The run that was made again has to give every number of the results again; only then are its additions theirs. */
async function requireSameResults(results: ResultFile, again: ResultFile, folder: string): Promise<void> {
  const differs = (what: string): InvalidInputError =>
    new InvalidInputError(`${what} of ${folder} differs from what this version of shardex computes for the same run`, {
      hint: 'run "shardex de" again with --shrink apeglm, or use --method stats',
    });
  if (!isEqual(results.perturbations, again.perturbations)) throw differs('the list of perturbations');
  if (!isEqual(results.genes, again.genes)) throw differs('the list of genes');
  const names = again.layers.filter((name) => !SHRUNKEN.includes(name));
  const absent = names.find((name) => !results.layers.includes(name));
  if (absent !== undefined) throw differs(`the set of layers (no ${absent})`);
  const [before, after] = await Promise.all([results.openLayers(names), again.openLayers(names)]);
  for (const [begin, end] of rowRuns(0, results.perturbations.length, results.genes.length)) {
    const [left, right] = await Promise.all([results.readRows(before, begin, end), again.readRows(after, begin, end)]);
    const differing = names.find((name) => !isEqual(left.get(name) ?? [], right.get(name) ?? []));
    if (differing !== undefined) throw differs(differing === 'X' ? 'the effect' : `the layer ${differing}`);
  }
}

/** NaN equals NaN. */
function isEqual<Value>(left: ArrayLike<Value>, right: ArrayLike<Value>): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (!Object.is(left[i], right[i])) return false;
  return true;
}

async function rowsOf(file: ResultFile, { json }: RecordedRun, prior: ShrinkPrior): Promise<ShrunkenRows> {
  const layers = await file.openLayers(SHRUNKEN);
  const scales = await readObsColumn(file.path, PRIOR_SCALE_COLUMN);
  const facts = json['shrinkage'] as { genes_with_two_modes: number; genes_not_converged: number } | null | undefined;
  if (scales.kind !== 'float' || facts === null || facts === undefined) {
    throw new InvariantBrokenError(`${file.path} does not say how it was shrunk`);
  }
  const shrinkage: Shrinkage = {
    likelihood: 'counts',
    prior,
    priorScales: scales.values,
    twoModes: facts.genes_with_two_modes,
    notConverged: facts.genes_not_converged,
  };
  const layer = (rows: ResultRows, i: number): Float32Array => Float32Array.from(rows.get(SHRUNKEN[i]) ?? []);
  return {
    shrinkage,
    read: async (rowBegin, rowEnd) => {
      const rows = await file.readRows(layers, rowBegin, rowEnd);
      return { foldChanges: layer(rows, 0), errors: layer(rows, 1) };
    },
  };
}
