import type { TestName } from '@shardex/shared/config';
import { InvalidInputError } from '@shardex/shared/errors';
import { openStore } from '@shardex/shared/storage';
import { presentTests, readAlpha, ResultFile, rowRuns } from '../cli/index.js';
import type { RunOverview, RunRecord, TestOverview } from './result-shapes.js';
import { ScreenTally, TALLIED_LAYERS } from './tally-screen.js';

/**
 * What a results folder has, read at once whatever its size.
 *
 * @throws InvalidInputError when there is no result file in it
 */
export async function readRunOverview(folder: string): Promise<RunOverview> {
  const tests = await presentTests(folder);
  if (tests.length === 0) {
    throw new InvalidInputError(`${folder} has no results (nb_glm.h5ad, wilcoxon.h5ad or t_test.h5ad)`, {
      hint: 'name the folder that "shardex de --out" wrote; results in other formats only cannot be shown',
    });
  }
  return { folder, alpha: await readAlpha(folder), run: await readRunRecord(folder), tests, provisional: null };
}

/** Results that were copied without their record are still results. */
async function readRunRecord(folder: string): Promise<RunRecord | null> {
  try {
    return JSON.parse(new TextDecoder().decode(await openStore(folder).readAll('run.json'))) as RunRecord;
  } catch {
    return null;
  }
}

/** Runs `body` on the results of one test and closes them. */
export async function withResults<Result>(
  folder: string,
  test: TestName,
  body: (file: ResultFile) => Promise<Result>,
): Promise<Result> {
  const file = await ResultFile.open(folder, test);
  try {
    return await body(file);
  } finally {
    await file.close();
  }
}

/**
 * Counts and calibration of a test over all perturbations. Reads the file's p-values once, in runs of rows.
 *
 * @param limit - perturbations to name at most
 */
export async function readTestOverview(file: ResultFile, alpha: number, limit: number): Promise<TestOverview> {
  const nGenes = file.genes.length;
  const layers = await file.openLayers(TALLIED_LAYERS);
  const cells = file.counts('n_cells');
  const tally = new ScreenTally(file.test, nGenes, alpha);
  for (const [begin, end] of rowRuns(0, file.perturbations.length, nGenes)) {
    const rows = await file.readRows(layers, begin, end);
    tally.add(file.perturbations.slice(begin, end), cells.subarray(begin, end), rows);
  }
  return tally.overview(limit);
}
