import { encodeBundle, type DispersionSummary, type TaskSpec } from '@shardex/shared/artifacts';
import { DispersionProfile, MeasureAccumulator, normalisedTotals } from '@shardex/shared/kernels';
import { CountHistogram, createDispersionGrid, normalisedSumQuanta } from '@shardex/shared/stats';
import { InvariantBrokenError } from '@shardex/shared/errors';
import type { TaskOutput } from './commit.js';
import { nodeSetOf } from './node-set.js';
import { openGroupRows, type TaskScope } from './task-scope.js';

type DispersionSpec = Extract<TaskSpec, { kind: 'dispersion' }>;

/**
 * Adds up, over a run of groups, what the dispersion of every gene depends on.
 *
 * Arrays of the output (G genes, A grid points): `profileSums` i64 G × A in per-gene quanta; `normalisedQuanta` f64 G, whole
 * numbers of quanta of Σ y/s; the count histograms `histogramDense` and `histogramOverflow`. All of them are exact sums.
 */
export async function runDispersion(scope: TaskScope, spec: DispersionSpec): Promise<TaskOutput> {
  const { job, heap, runtime } = scope;
  const { nGenes } = job.context;
  const factors = await job.cellFactors();
  const nodes = nodeSetOf(factors);
  const grid = createDispersionGrid();
  const rows = await openGroupRows(scope, spec.groupBegin, spec.groupEnd);
  const measures = new MeasureAccumulator(heap, nGenes, nodes);
  const profile = new DispersionProfile(heap, nGenes, nodes.sizeFactors, grid.logAlphas, factors.quantumExponents);
  const histogram = new CountHistogram(nGenes);
  const quanta = normalisedSumQuanta(factors.geneTotal, Math.exp(nodes.logMin));
  const normalisedQuanta = new Float64Array(nGenes);
  let cells = 0;
  let groups = 0;
  let nonzeros = 0;
  for (let group = spec.groupBegin; group < spec.groupEnd; group++) {
    if (factors.groupKept[group] === 0) continue;
    measures.reset();
    for await (const { rows: block, sizeFactors } of rows.blocks(group)) {
      if (!('counts' in block)) throw new InvariantBrokenError('dispersions need counts');
      measures.addRows(block, sizeFactors);
      histogram.addRows(block);
    }
    profile.addGroup(measures);
    const totals = normalisedTotals(measures, nodes);
    for (let gene = 0; gene < nGenes; gene++) normalisedQuanta[gene] += Math.round(totals[gene] * quanta[gene]);
    cells += rows.cellsOf(group);
    nonzeros += rows.nonzerosOf(group);
    groups++;
    runtime.progress((group + 1 - spec.groupBegin) / (spec.groupEnd - spec.groupBegin));
  }
  const meta: DispersionSummary = { groups, cells };
  const { dense, overflow } = histogram.toArrays();
  const parts = encodeBundle(meta, {
    profileSums: profile.sums,
    normalisedQuanta,
    histogramDense: dense,
    histogramOverflow: overflow,
  });
  return { parts, bytesRead: rows.bytesRead, nonzeros, fits: groups * nGenes * grid.logAlphas.length, warnings: [] };
}
