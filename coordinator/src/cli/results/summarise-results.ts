import type { TestName } from '@shardex/shared/config';
import { compareRanked, StrongestRows } from './rank-rows.js';
import type { ResultFile } from './result-file.js';
import { rowRuns } from './tidy-rows.js';

/** What one test found for one perturbation. */
export interface PerturbationSummary {
  readonly test: TestName;
  readonly perturbation: string;
  /** NaN where the file does not say. */
  readonly cells: number;
  readonly testedGenes: number;
  /** Genes with an adjusted p-value (within the perturbation) of at most alpha. */
  readonly significantGenes: number;
  /** Strongest first, with the sign of the effect. */
  readonly strongest: readonly { readonly gene: string; readonly zScore: number; readonly isSignificant: boolean }[];
}

const STRONGEST = 4;

/** One summary for each perturbation, in the order of the file. */
export async function* summariseResults(file: ResultFile, alpha: number): AsyncGenerator<PerturbationSummary> {
  const nGenes = file.genes.length;
  const layers = await file.openLayers(['pvalue', 'log10_pvalue', 'pvalue_adj', 'z_score']);
  const cells = file.counts('n_cells');
  const tested = file.counts('n_genes_tested');
  for (const [begin, end] of rowRuns(0, file.perturbations.length, nGenes)) {
    const rows = await file.readRows(layers, begin, end);
    const layer = (name: string): Float64Array => rows.get(name) as Float64Array;
    for (let row = begin; row < end; row++) {
      const from = (row - begin) * nGenes;
      const slice = (name: string): Float64Array => layer(name).subarray(from, from + nGenes);
      const adjusted = slice('pvalue_adj');
      const zScores = slice('z_score');
      const pvalues = slice('pvalue');
      const strongest = new StrongestRows(STRONGEST);
      strongest.add(
        new Map([
          ['pvalue', pvalues],
          ['log10_pvalue', slice('log10_pvalue')],
        ]),
        row,
        nGenes,
      );
      yield {
        test: file.test,
        perturbation: file.perturbations[row],
        cells: cells[row],
        testedGenes: Number.isNaN(tested[row]) ? pvalues.filter((pvalue) => !Number.isNaN(pvalue)).length : tested[row],
        significantGenes: adjusted.filter((pvalue) => pvalue <= alpha).length,
        strongest: [...strongest.finish()].sort(compareRanked).map(({ gene }) => ({
          gene: file.genes[gene],
          zScore: zScores[gene],
          isSignificant: adjusted[gene] <= alpha,
        })),
      };
    }
  }
}
