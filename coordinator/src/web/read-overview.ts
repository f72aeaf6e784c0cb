import { TEST_OUTPUTS } from '@shardex/shared/artifacts';
import type { TestName } from '@shardex/shared/config';
import { InvalidInputError } from '@shardex/shared/errors';
import { openStore } from '@shardex/shared/storage';
import { presentTests, readAlpha, ResultFile, rowRuns } from '../cli/index.js';
import type { PerturbationCounts, RunOverview, RunRecord, TestOverview } from './result-shapes.js';
import { PvalueTally } from './tally-pvalues.js';

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
  return { folder, alpha: await readAlpha(folder), run: await readRunRecord(folder), tests };
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
  const layers = await file.openLayers(['pvalue', 'log10_pvalue', 'pvalue_adj', 'z_score']);
  const cells = file.counts('n_cells');
  const tally = new PvalueTally();
  const counts: PerturbationCounts[] = [];
  for (const [begin, end] of rowRuns(0, file.perturbations.length, nGenes)) {
    const rows = await file.readRows(layers, begin, end);
    const layer = (name: string): Float64Array => rows.get(name) as Float64Array;
    const [pvalues, logarithms, adjusted, zScores] = ['pvalue', 'log10_pvalue', 'pvalue_adj', 'z_score'].map(layer);
    for (let row = begin; row < end; row++) {
      let [tested, up, down] = [0, 0, 0];
      for (let at = (row - begin) * nGenes; at < (row - begin + 1) * nGenes; at++) {
        if (Number.isNaN(pvalues[at])) continue;
        tested++;
        tally.add(pvalues[at], logarithms[at]);
        if (!(adjusted[at] <= alpha)) continue;
        if (zScores[at] < 0) down++;
        else up++;
      }
      const ofRow = Number.isNaN(cells[row]) ? null : cells[row];
      counts.push({ perturbation: file.perturbations[row], cells: ofRow, tested, up, down });
    }
  }
  const significantGenes = counts.reduce((sum, { up, down }) => sum + up + down, 0);
  // Sorting is stable: those with as many genes stay in the order of the file.
  const perturbations = counts.sort((left, right) => right.up + right.down - left.up - left.down).slice(0, limit);
  return {
    test: file.test,
    effect: TEST_OUTPUTS[file.test].effect,
    perturbations,
    perturbationsLeftOut: file.perturbations.length - perturbations.length,
    significantGenes,
    calibration: tally.finish(),
  };
}
