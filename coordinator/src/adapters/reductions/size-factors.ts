import { createHash } from 'node:crypto';
import {
  encodeBundle,
  SCRATCH_NAMES,
  type JobContext,
  type RatiosSummary,
  type SizeFactorSummary,
} from '@shardex/shared/artifacts';
import { isRatioMethod, sizeFactorColumn } from '@shardex/shared/config';
import { chooseNodes, quantumExponents } from '@shardex/shared/stats';
import { finiteRange, judgeComparisons, meanOfTotals, sizeFactors } from '../../domain/index.js';
import { keptCellsOf, sumScans, type ScanSums } from './scan-sums.js';
import { withArtifact, type ReductionScope } from './scratch.js';

/**
 * The `size-factors` stage: applies the perturbation and gene filters to what the scan found, sets the size factors and
 * chooses the nodes of the compressed measures.
 *
 * @returns warnings
 * @throws InvalidInputError when no perturbation is left, or nothing to compare it with
 */
export async function reduceSizeFactors(scope: ReductionScope): Promise<readonly string[]> {
  const { context, store } = scope;
  const { parameters } = context;
  const sums = await sumScans(scope);
  const { group, given, stratum } = await withArtifact<JobContext, CellArrays>(
    store,
    SCRATCH_NAMES.context,
    async (reader) => ({
      group: await reader.i32('group'),
      given: reader.has('givenSizeFactor') ? await reader.f64('givenSizeFactor') : null,
      stratum: reader.has('stratum') ? await reader.i32('stratum') : null,
    }),
  );
  const { groupKept } = sums;
  const dropped = context.groupLabels.filter((_, g) => g > 0 && groupKept[g] === 0);
  const factors = await cellFactors(scope, sums, given);
  const range = finiteRange(factors);
  const nodes = chooseNodes(range.min, range.max);
  const geneKept = Uint8Array.from(sums.geneCells, (cells) => (cells >= parameters.minCellsPerGene ? 1 : 0));
  const keptCells = keptCellsOf(sums);
  const unlabelled = group.reduce((n, g) => n + (g < 0 ? 1 : 0), 0);
  const genesDropped = geneKept.reduce((n, kept) => n + (1 - kept), 0);

  const warnings: string[] = [];
  if (sums.counts.emptyCells > 0) warnings.push(`${sums.counts.emptyCells} cells without a single count were left out`);
  if (sums.counts.fewGenesCells > 0)
    warnings.push(`${sums.counts.fewGenesCells} cells with fewer than ${parameters.minGenes} genes were left out`);
  if (dropped.length > 0) warnings.push(droppedSentence(dropped, parameters.minCellsPerPerturbation));
  if (genesDropped > 0)
    warnings.push(`${genesDropped} genes expressed in fewer than ${parameters.minCellsPerGene} cells are not tested`);
  const single = context.groupLabels.filter((_, g) => groupKept[g] === 1 && sums.groupCells[g] === 1);
  if (single.length > 0)
    warnings.push(`${single.length} groups have one cell only (${shown(single)}): no t-test for them`);

  if (parameters.tests.includes('nb-glm') && stratum !== null) {
    const cells = new Uint32Array(groupKept.length * context.design.strata.length);
    for (let cell = 0; cell < group.length; cell++) {
      if (sums.kept[cell] === 1) cells[group[cell] * context.design.strata.length + stratum[cell]]++;
    }
    warnings.push(...judgeComparisons(context.design, context.groupLabels, cells));
  }

  const summary: SizeFactorSummary = {
    keptCells,
    nodes: { count: nodes.count, logMin: nodes.logMin, logMax: nodes.logMax, bound: nodes.bound },
    scanTasks: scope.outputs['scan']?.length ?? 0,
    nonzeros: sums.counts.nonzeros,
    warnings,
    contentHash: contentHash(sums.chunkHashes),
    qc: {
      cellsFewGenes: sums.counts.fewGenesCells,
      cellsEmpty: sums.counts.emptyCells,
      cellsUnlabelled: unlabelled,
      perturbationsDropped: dropped,
      genesDropped,
    },
  };
  await store.commit(
    SCRATCH_NAMES.sizeFactors,
    encodeBundle(summary, {
      sizeFactor: factors,
      kept: sums.kept,
      total: sums.total,
      nGenes: sums.nGenes,
      groupCells: sums.groupCells,
      groupNonzeros: sums.groupNonzeros.map((n, g) => (groupKept[g] === 1 ? n : 0)),
      groupKept,
      geneKept,
      geneTotal: sums.geneTotal,
      geneCells: sums.geneCells,
      nodeSizeFactors: nodes.sizeFactors,
      quantumExponents: quantumExponents(sums.geneTotal, context.nCells),
    }),
  );
  return warnings;
}

interface CellArrays {
  readonly group: Int32Array;
  readonly given: Float64Array | null;
  readonly stratum: Int32Array | null;
}

/** Size factor of each cell by the method asked for; NaN for cells that take no part. */
async function cellFactors(
  scope: ReductionScope,
  { kept, total }: ScanSums,
  given: Float64Array | null,
): Promise<Float64Array> {
  const { sizeFactors: method, scaleSizeFactors } = scope.context.parameters;
  // On the log scale nothing is divided by a size factor; 1 keeps the tables readable.
  if (scope.context.inputScale !== 'counts') return Float64Array.from(kept, (one) => (one === 1 ? 1 : NaN));
  if (isRatioMethod(method)) {
    const ratios = await readRatios(scope);
    // Geometric mean 1 is part of the definition of poscounts, PyDESeq2's too.
    const scale = scaleSizeFactors || method.endsWith('poscounts') ? 'geometric-mean' : 1;
    return sizeFactors(ratios, kept, 'the median of ratios', scale);
  }
  if (given !== null) {
    const source = `column "${sizeFactorColumn(method)}"`;
    return sizeFactors(given, kept, source, scaleSizeFactors ? 'geometric-mean' : 1);
  }
  return sizeFactors(total, kept, 'the total', scaleSizeFactors ? 'geometric-mean' : meanOfTotals(total, kept));
}

async function readRatios(scope: ReductionScope): Promise<Float64Array> {
  const ratios = new Float64Array(scope.context.nCells);
  for (const name of scope.outputs['ratios'] ?? []) {
    await withArtifact<RatiosSummary, void>(scope.store, name, async (reader) => {
      ratios.set(await reader.f64('median'), reader.meta.rowBegin);
    });
  }
  return ratios;
}

/** SHA-256 over the hashes of all stored chunks in order: independent of how the file was sharded. */
function contentHash(chunkHashes: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256');
  const key = (name: string): [string, number] => [name.split(' ')[0], Number(name.split(' ')[1])];
  const names = [...chunkHashes.keys()].sort((a, b) => {
    const [datasetA, chunkA] = key(a);
    const [datasetB, chunkB] = key(b);
    return datasetA === datasetB ? chunkA - chunkB : datasetA < datasetB ? -1 : 1;
  });
  for (const name of names) hash.update(`${name} ${chunkHashes.get(name)}\n`);
  return `sha256:${hash.digest('hex')}`;
}

const SHOWN = 5;
const shown = (labels: readonly string[]): string =>
  labels.slice(0, SHOWN).join(', ') + (labels.length > SHOWN ? ', …' : '');

const droppedSentence = (dropped: readonly string[], minimum: number): string =>
  minimum > 0
    ? `${dropped.length} perturbations with fewer than ${minimum} cells were left out (${shown(dropped)})`
    : `${dropped.length} perturbations have no cell left after the filters (${shown(dropped)})`;
