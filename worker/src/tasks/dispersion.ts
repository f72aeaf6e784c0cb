import { encodeBundle, type DispersionSummary, type TaskSpec } from '@shardex/shared/artifacts';
import {
  DispersionProfile,
  inverseSizeFactors,
  normalisedSquares,
  normalisedTotals,
  type NodeSet,
} from '@shardex/shared/kernels';
import {
  CountHistogram,
  createDispersionGrid,
  inverseSizeFactorQuanta,
  normalisedSquareQuanta,
  normalisedSumQuanta,
} from '@shardex/shared/stats';
import { InvariantBrokenError } from '@shardex/shared/errors';
import type { TaskOutput } from './commit.js';
import { isCountBlock } from './nb-engine.js';
import { nodeSetOf } from './node-set.js';
import { StrataMeasures } from './strata-measures.js';
import { modelStrataOf } from './strata.js';
import { openGroupRows, type TaskScope } from './task-scope.js';

type DispersionSpec = Extract<TaskSpec, { kind: 'dispersion' }>;

/**
 * Adds up, over a run of groups, what the dispersion of every gene depends on.
 *
 * Arrays of the output (G genes, A grid points): `profileSums` i64 G × A in per-gene quanta; `normalisedQuanta` f64 G, whole
 * numbers of quanta of Σ y/s; the count histograms `histogramDense` and `histogramOverflow`. For dispersions by moments also
 * `squareQuanta` f64 G of Σ (y/s)² and `inverseQuanta` f64 1 of Σ 1/s, for crispyx's `overFactorQuanta` f64 G of Σ y/s². All of
 * them are exact sums.
 *
 * With categorical covariates every stratum of a group is a group of its own: the means are those of the saturated model.
 */
export async function runDispersion(scope: TaskScope, spec: DispersionSpec): Promise<TaskOutput> {
  const { job, heap, runtime } = scope;
  const { nGenes, parameters } = job.context;
  const isCrispyx = parameters.dispersionEstimator === 'crispyx';
  const withMoments = isCrispyx || parameters.dispersionEstimator === 'moments';
  const factors = await job.cellFactors();
  const nodes = nodeSetOf(factors);
  const grid = createDispersionGrid();
  const rows = await openGroupRows(scope, spec.groupBegin, spec.groupEnd);
  const strata = await modelStrataOf(job);
  const nStrata = strata?.count ?? 1;
  const atATime = Math.min(nStrata, strataAtATime(scope, nGenes, nodes));
  const measures = new StrataMeasures(heap, nGenes, nodes, strata, withMoments, atATime);
  const profile = new DispersionProfile(heap, nGenes, nodes.sizeFactors, grid.logAlphas, factors.quantumExponents);
  const histogram = new CountHistogram(nGenes, heap);
  const leastFactor = Math.exp(nodes.logMin);
  const quanta = normalisedSumQuanta(factors.geneTotal, leastFactor);
  const ofSquares = normalisedSquareQuanta(factors.geneTotal, leastFactor);
  const ofInverses = inverseSizeFactorQuanta(factors.summary.keptCells, leastFactor);
  const normalisedQuanta = new Float64Array(nGenes);
  const squareQuanta = new Float64Array(nGenes);
  const overFactorQuanta = new Float64Array(nGenes);
  const inverseQuanta = new Float64Array(1);
  let cells = 0;
  let groups = 0;
  let nonzeros = 0;
  for (let group = spec.groupBegin; group < spec.groupEnd; group++) {
    if (factors.groupKept[group] === 0) continue;
    for (let first = 0; first < nStrata; first += atATime) {
      measures.reset();
      for await (const block of rows.blocks(group)) {
        if (!isCountBlock(block)) throw new InvariantBrokenError('dispersions need counts');
        measures.addRows(block, first);
        if (first === 0) histogram.addRows(block.rows);
      }
      for (const stratum of measures.measures()) {
        if (stratum === null) continue;
        profile.addGroup(stratum);
        addQuanta(normalisedQuanta, normalisedTotals(heap, stratum, nodes), quanta);
        if (stratum.squares !== null) {
          addQuanta(squareQuanta, normalisedSquares(heap, stratum.squares, nGenes, nodes), ofSquares);
          if (isCrispyx) addQuanta(overFactorQuanta, normalisedSquares(heap, stratum.S, nGenes, nodes), ofSquares);
          inverseQuanta[0] += Math.round(inverseSizeFactors(heap, stratum, nodes) * ofInverses);
        }
        groups++;
      }
    }
    cells += rows.cellsOf(group);
    nonzeros += rows.nonzerosOf(group);
    runtime.progress((group + 1 - spec.groupBegin) / (spec.groupEnd - spec.groupBegin));
  }
  const meta: DispersionSummary = { groups, cells };
  const { dense, overflow } = histogram.toArrays();
  const parts = encodeBundle(meta, {
    profileSums: profile.sums,
    normalisedQuanta,
    histogramDense: dense,
    histogramOverflow: overflow,
    ...(withMoments ? { squareQuanta, inverseQuanta } : {}),
    ...(isCrispyx ? { overFactorQuanta } : {}),
  });
  return { parts, bytesRead: rows.bytesRead, nonzeros, fits: groups * nGenes * grid.logAlphas.length, warnings: [] };
}

/** sums += values, each rounded to a whole number of quanta. */
function addQuanta(sums: Float64Array, values: Float64Array, quanta: Float64Array): void {
  for (let i = 0; i < sums.length; i++) sums[i] += Math.round(values[i] * quanta[i]);
}

/** Share of a task's memory that the measures may take. */
const MEASURES_SHARE = 0.25;

/** Strata whose measures of all genes fit into the memory that a task may give them; the others take another pass. */
const strataAtATime = ({ assignment }: TaskScope, nGenes: number, nodes: NodeSet): number =>
  Math.max(
    1,
    Math.floor((assignment.memoryBytes * MEASURES_SHARE) / (nGenes * nodes.count * Float64Array.BYTES_PER_ELEMENT)),
  );
