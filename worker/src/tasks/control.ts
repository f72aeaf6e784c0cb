import { encodeBundle, type BundleArray, type ControlSummary, type TaskSpec } from '@shardex/shared/artifacts';
import { MeasureAccumulator, MomentAccumulator, scatterKeys, sortColumns, tieTerms } from '@shardex/shared/kernels';
import type { TaskOutput } from './commit.js';
import type { GroupRows } from './group-rows.js';
import { nodeSetOf } from './node-set.js';
import { openGroupRows, type TaskScope } from './task-scope.js';

type ControlSpec = Extract<TaskSpec, { kind: 'control' }>;

const CONTROL = 0;

/**
 * Freezes the control cells for a run of genes: everything a perturbation is compared with.
 *
 * Arrays of the output (g = genes of the task, n = control nonzeros of these genes): `nExpressing` u32 g; `moments` f64 g × 4
 * (columns as `MomentColumn`); for the NB-GLM `S` f64 g × K, `N` f64 K, `sumCounts` f64 g; for Wilcoxon
 * `keys` f64 n (ascending within each gene), `keyOffsets` u32 g + 1, `tieSums` f64 g.
 */
export async function runControl(scope: TaskScope, spec: ControlSpec): Promise<TaskOutput> {
  const { job, heap } = scope;
  const { geneBegin, geneEnd } = spec;
  const nGenes = geneEnd - geneBegin;
  const { tests } = job.context.parameters;
  const factors = await job.cellFactors();
  const rows = await openGroupRows(scope, CONTROL, CONTROL + 1);
  const moments = new MomentAccumulator(heap, nGenes);
  const measures = tests.includes('nb-glm') ? new MeasureAccumulator(heap, nGenes, nodeSetOf(factors)) : null;
  let nonzeros = 0;
  for await (const block of rows.blocks(CONTROL, geneBegin, geneEnd)) {
    nonzeros += block.rows.indptr[block.rows.nRows];
    if ('counts' in block.rows) {
      moments.addRows(block.rows, block.totals, block.sizeFactors);
      measures?.addRows(block.rows, block.sizeFactors);
    } else moments.addRealRows(block.rows);
  }
  scope.runtime.progress(0.5);
  const arrays: Record<string, BundleArray> = {
    nExpressing: moments.nExpressing,
    moments: moments.sums,
  };
  if (measures !== null) Object.assign(arrays, { S: measures.S, N: measures.N, sumCounts: measures.sumCounts });
  if (tests.includes('wilcoxon')) {
    Object.assign(arrays, await sortedKeys(scope, rows, spec, moments.nExpressing, nonzeros));
  }
  const meta: ControlSummary = { geneBegin, geneEnd, cells: rows.cellsOf(CONTROL), nonzeros };
  return { parts: encodeBundle(meta, arrays), bytesRead: rows.bytesRead, nonzeros, fits: 0, warnings: [] };
}

/** Second pass over the cells: rank keys gene by gene, sorted, with their tie sums. */
async function sortedKeys(
  scope: TaskScope,
  rows: GroupRows,
  { geneBegin, geneEnd }: ControlSpec,
  nExpressing: Uint32Array,
  nonzeros: number,
): Promise<{ keys: Float64Array; keyOffsets: Uint32Array; tieSums: Float64Array }> {
  const { heap } = scope;
  const nGenes = geneEnd - geneBegin;
  const keys = heap.f64(nonzeros);
  const keyOffsets = heap.u32(nGenes + 1);
  for (let gene = 0; gene < nGenes; gene++) keyOffsets[gene + 1] = keyOffsets[gene] + nExpressing[gene];
  const cursors = heap.copyU32(keyOffsets);
  for await (const block of rows.blocks(CONTROL, geneBegin, geneEnd)) {
    scatterKeys(heap, block.rows, block.totals, cursors, keys);
  }
  const tieSums = heap.f64(nGenes);
  sortColumns(heap, keys, keyOffsets);
  tieTerms(heap, keys, keyOffsets, tieSums);
  return { keys, keyOffsets, tieSums };
}
