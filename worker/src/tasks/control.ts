import { encodeBundle, type BundleArray, type ControlSummary, type TaskSpec } from '@shardex/shared/artifacts';
import { MeasureAccumulator, MomentAccumulator } from '@shardex/shared/kernels';
import { CountHistogram } from '@shardex/shared/stats';
import type { TaskOutput } from './commit.js';
import { addCountTotals } from './count-totals.js';
import { frozenParts } from './frozen-control.js';
import { strataArrays } from './frozen-strata.js';
import { isCountBlock, nbEngineOf } from './nb-engine.js';
import { nodeSetOf } from './node-set.js';
import { PoolRows } from './pool-rows.js';
import { rankAgainstRest } from './rank-against-rest.js';
import { sortControl } from './sort-control.js';
import { StrataMeasures } from './strata-measures.js';
import { modelStrataOf } from './strata.js';
import type { TaskScope } from './task-scope.js';

type ControlSpec = Extract<TaskSpec, { kind: 'control' }>;

/**
 * Freezes, for a run of genes, the cells that every perturbation is compared with: those of the control; or, with another
 * `--reference`, the pool of all cells that take part, of which a perturbation is the one part and the other cells its
 * reference.
 *
 * Arrays of the output (g = genes of the task): `nExpressing` u32 g; `moments` f64 g × 4 (columns as `MomentColumn`); for the
 * NB-GLM `S` f64 g × K, `N` f64 K; where `frozenParts` says so `sumCounts` f64 g, `squares` f64 g × K, the count histogram
 * `histogramDense` and `histogramOverflow`; for Wilcoxon against the control what `sortControl` returns, against other cells
 * what `rankAgainstRest` returns; with categorical covariates what `strataArrays` lists.
 */
export async function runControl(scope: TaskScope, spec: ControlSpec): Promise<TaskOutput> {
  const { job, heap } = scope;
  const { geneBegin, geneEnd } = spec;
  const nGenes = geneEnd - geneBegin;
  const { parameters } = job.context;
  const { tests, reference } = parameters;
  const parts = frozenParts(job.context);
  const factors = await job.cellFactors();
  const pool = await PoolRows.open(scope);
  const moments = new MomentAccumulator(heap, nGenes);
  const withNb = tests.includes('nb-glm');
  const measures = withNb ? new MeasureAccumulator(heap, nGenes, nodeSetOf(factors), parts.squares) : null;
  const histogram = parts.histogram ? new CountHistogram(nGenes, heap) : null;
  const totals = parts.sumCounts && !withNb ? new Float64Array(nGenes) : null;
  const strata = withNb && nbEngineOf(job.context) === 'strata' ? await modelStrataOf(job) : null;
  const inStrata =
    strata && new StrataMeasures(heap, nGenes, nodeSetOf(factors), strata, parameters.standardErrors === 'robust');
  let nonzeros = 0;
  for await (const block of pool.blocks(geneBegin, geneEnd)) {
    nonzeros += block.rows.indptr[block.rows.nRows];
    if (isCountBlock(block)) {
      moments.addRows(block.rows, block.totals, block.sizeFactors);
      measures?.addRows(block.rows, block.sizeFactors);
      histogram?.addRows(block.rows);
      if (totals !== null) addCountTotals(totals, block.rows);
      inStrata?.addRows(block);
    } else if ('values' in block.rows) moments.addRealRows(block.rows);
  }
  scope.runtime.progress(0.5);
  const arrays: Record<string, BundleArray> = {
    nExpressing: moments.nExpressing,
    moments: moments.sums,
  };
  if (measures !== null) Object.assign(arrays, { S: measures.S, N: measures.N, sumCounts: measures.sumCounts });
  if (totals !== null) Object.assign(arrays, { sumCounts: totals });
  if (measures?.squares) Object.assign(arrays, { squares: measures.squares });
  if (histogram !== null) {
    const { dense, overflow } = histogram.toArrays();
    Object.assign(arrays, { histogramDense: dense, histogramOverflow: overflow });
  }
  if (inStrata !== null) Object.assign(arrays, strataArrays(inStrata));
  if (tests.includes('wilcoxon')) {
    const ranked =
      reference === 'control'
        ? sortControl(scope, pool, spec, moments.nExpressing)
        : rankAgainstRest(scope, pool, spec, moments.nExpressing);
    Object.assign(arrays, await ranked);
  }
  const meta: ControlSummary = { geneBegin, geneEnd, cells: pool.cells, nonzeros };
  return { parts: encodeBundle(meta, arrays), bytesRead: pool.bytesRead, nonzeros, fits: 0, warnings: [] };
}
