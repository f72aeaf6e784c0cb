import { PRODUCT_VERSION } from '../adapters/index.js';
import { readPageAssets, selfContainedPage } from './page-assets.js';
import { readRunOverview, readTestOverview, withResults } from './read-overview.js';
import { openPerturbations } from './read-perturbation.js';
import type { PerturbationResults, ReportData, TestOverview } from './result-shapes.js';

/** Genes of a perturbation and test in a report: about 100 KiB. */
const GENES = 1500;
/** Perturbations whose counts a report lists for each test. */
const LISTED_PERTURBATIONS = 2000;

/**
 * A results folder as one HTML file.
 *
 * @param folder - may be s3://…
 * @param perturbations - how many get plots: for each test those with the most significant genes
 * @throws InvalidInputError when the folder has no results
 */
export async function buildReport(folder: string, perturbations: number): Promise<string> {
  const overview = await readRunOverview(folder);
  const overviews: TestOverview[] = [];
  const results: PerturbationResults[] = [];
  for (const test of overview.tests) {
    await withResults(folder, test, async (file) => {
      const counts = await readTestOverview(file, overview.alpha, LISTED_PERTURBATIONS);
      overviews.push(counts);
      const read = await openPerturbations(file);
      for (const { perturbation } of counts.perturbations.slice(0, perturbations))
        results.push(await read(perturbation, GENES));
    });
  }
  const data: ReportData = { ...overview, overviews, results, generator: `shardex ${PRODUCT_VERSION}` };
  return selfContainedPage(`shardex report: ${nameOf(folder)}`, await readPageAssets(), data);
}

const nameOf = (folder: string): string => folder.replace(/\/+$/, '').split('/').at(-1) ?? folder;
