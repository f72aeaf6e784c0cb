import { createHash } from 'node:crypto';
import {
  encodeBundle,
  SCRATCH_NAMES,
  type JobContext,
  type ScanSummary,
  type SizeFactorSummary,
} from '@shardex/shared/artifacts';
import { InvalidInputError } from '@shardex/shared/errors';
import { decodeRowsReference } from '@shardex/shared/kernels';
import { chooseNodes, quantumExponents } from '@shardex/shared/stats';
import { finiteRange, keptGroups, sizeFactors } from '../../domain/index.js';
import { withArtifact, type ReductionScope, type ScanReader } from './scratch.js';

/** Sums over all scan outputs, still with every group. */
interface ScanSums {
  readonly total: Float64Array;
  readonly nGenes: Uint32Array;
  readonly kept: Uint8Array;
  readonly geneTotal: Float64Array;
  readonly geneCells: Uint32Array;
  readonly groupCells: Uint32Array;
  readonly groupNonzeros: Float64Array;
  readonly chunkHashes: Map<string, string>;
  nonzeros: number;
  emptyCells: number;
  fewGenesCells: number;
}

/**
 * The `size-factors` stage: applies the cell, perturbation and gene filters to what the scan found, sets the size factors
 * and chooses the nodes of the compressed measures.
 *
 * @returns warnings
 * @throws InvalidInputError when no control cell or no perturbation is left
 */
export async function reduceSizeFactors(scope: ReductionScope): Promise<readonly string[]> {
  const { context, store } = scope;
  const { parameters } = context;
  const sums = await sumScans(scope);
  const { group, given } = await withArtifact<JobContext, { group: Int32Array; given: Float64Array | null }>(
    store,
    SCRATCH_NAMES.context,
    async (reader) => ({
      group: await reader.i32('group'),
      given: reader.has('givenSizeFactor') ? await reader.f64('givenSizeFactor') : null,
    }),
  );

  const groupKept = keptGroups(sums.groupCells, parameters.minCellsPerPerturbation);
  const dropped = context.groupLabels.filter((_, g) => groupKept[g] === 0);
  if (sums.groupCells[0] === 0) {
    throw new InvalidInputError(`no cell of the control "${context.groupLabels[0]}" is left after the cell filters`, {
      hint: 'lower --min-genes or check the matrix chosen with --layer',
    });
  }
  if (dropped.length === context.groupLabels.length - 1) {
    throw new InvalidInputError('no perturbation is left after the filters', {
      hint: 'lower --min-genes or --min-cells-per-perturbation',
    });
  }
  for (let cell = 0; cell < group.length; cell++) {
    if (group[cell] >= 0 && groupKept[group[cell]] === 0) sums.kept[cell] = 0;
  }
  if (dropped.length > 0) await subtractGroups(scope, groupKept, sums);

  const source = given === null ? 'the total' : `column "${parameters.sizeFactors.slice('obs:'.length)}"`;
  const isCounts = context.inputScale === 'counts';
  // On the log scale nothing is divided by a size factor; 1 keeps the tables readable.
  const factors = isCounts
    ? sizeFactors(given ?? sums.total, sums.kept, source)
    : Float64Array.from(sums.kept, (kept) => (kept === 1 ? 1 : NaN));
  const range = finiteRange(factors);
  const nodes = chooseNodes(range.min, range.max);
  const geneKept = Uint8Array.from(sums.geneCells, (cells) => (cells >= parameters.minCellsPerGene ? 1 : 0));
  const keptCells = sums.kept.reduce((n, kept) => n + kept, 0);
  const unlabelled = group.reduce((n, g) => n + (g < 0 ? 1 : 0), 0);
  const genesDropped = geneKept.reduce((n, kept) => n + (1 - kept), 0);

  const warnings: string[] = [];
  if (sums.emptyCells > 0) warnings.push(`${sums.emptyCells} cells without a single count were left out`);
  if (sums.fewGenesCells > 0)
    warnings.push(`${sums.fewGenesCells} cells with fewer than ${parameters.minGenes} genes were left out`);
  if (dropped.length > 0) warnings.push(droppedSentence(dropped, parameters.minCellsPerPerturbation));
  if (genesDropped > 0)
    warnings.push(`${genesDropped} genes expressed in fewer than ${parameters.minCellsPerGene} cells are not tested`);
  const single = context.groupLabels.filter((_, g) => groupKept[g] === 1 && sums.groupCells[g] === 1);
  if (single.length > 0)
    warnings.push(`${single.length} groups have one cell only (${shown(single)}): no t-test for them`);

  const summary: SizeFactorSummary = {
    keptCells,
    nodes: { count: nodes.count, logMin: nodes.logMin, logMax: nodes.logMax, bound: nodes.bound },
    scanTasks: scope.outputs['scan']?.length ?? 0,
    nonzeros: sums.nonzeros,
    warnings,
    contentHash: contentHash(sums.chunkHashes),
    qc: {
      cellsFewGenes: sums.fewGenesCells,
      cellsEmpty: sums.emptyCells,
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

async function sumScans(scope: ReductionScope): Promise<ScanSums> {
  const { nCells, nGenes, groupLabels } = scope.context;
  const sums: ScanSums = {
    total: new Float64Array(nCells),
    nGenes: new Uint32Array(nCells),
    kept: new Uint8Array(nCells),
    geneTotal: new Float64Array(nGenes),
    geneCells: new Uint32Array(nGenes),
    groupCells: new Uint32Array(groupLabels.length),
    groupNonzeros: new Float64Array(groupLabels.length),
    chunkHashes: new Map(),
    nonzeros: 0,
    emptyCells: 0,
    fewGenesCells: 0,
  };
  const names = scope.outputs['scan'] ?? [];
  for (const [i, name] of names.entries()) {
    scope.checkCancelled();
    await withArtifact<ScanSummary, void>(scope.store, name, (reader) => addScan(sums, reader));
    scope.report((i + 1) / names.length);
  }
  return sums;
}

async function addScan(sums: ScanSums, reader: ScanReader): Promise<void> {
  const { meta } = reader;
  sums.total.set(await reader.f64('total'), meta.rowBegin);
  sums.nGenes.set(await reader.u32('nGenes'), meta.rowBegin);
  sums.kept.set(await reader.u8('kept'), meta.rowBegin);
  const geneTotal = await reader.f64('geneTotal');
  const geneCells = await reader.u32('geneCells');
  for (let gene = 0; gene < geneTotal.length; gene++) {
    sums.geneTotal[gene] += geneTotal[gene];
    sums.geneCells[gene] += geneCells[gene];
  }
  const groupRows = await reader.u32('groupRows');
  const rowNonzeros = await reader.u32('rowNonzeros');
  for (let g = 0; g + 1 < groupRows.length; g++) {
    sums.groupCells[g] += groupRows[g + 1] - groupRows[g];
    for (let row = groupRows[g]; row < groupRows[g + 1]; row++) sums.groupNonzeros[g] += rowNonzeros[row];
  }
  sums.nonzeros += meta.nonzeros;
  sums.emptyCells += meta.emptyCells;
  sums.fewGenesCells += meta.fewGenesCells;
  // A chunk on the border of two shards is read by both; the same bytes give the same hash.
  for (const [dataset, chunk, hash] of meta.chunkHashes) sums.chunkHashes.set(`${dataset} ${chunk}`, hash);
}

/** Takes the cells of dropped groups out of the per-gene sums. They are few, by definition, so the plain decoder does. */
async function subtractGroups(scope: ReductionScope, groupKept: Uint8Array, sums: ScanSums): Promise<void> {
  const kind = scope.context.inputScale === 'counts' ? 'count' : 'real';
  for (const name of scope.outputs['scan'] ?? []) {
    await withArtifact<ScanSummary, void>(scope.store, name, async (reader) => {
      const groupRows = await reader.u32('groupRows');
      for (let g = 1; g + 1 < groupRows.length; g++) {
        if (groupKept[g] === 1 || groupRows[g] === groupRows[g + 1]) continue;
        const offsets = await reader.u32('rowOffsets', groupRows[g], groupRows[g + 1] + 1);
        const bytes = await reader.u8('rows', offsets[0], offsets[offsets.length - 1]);
        const relative = offsets.map((offset) => offset - offsets[0]);
        const rows = decodeRowsReference(kind, bytes, relative, 0, scope.context.nGenes);
        for (const [i, gene] of rows.indices.entries()) {
          sums.geneCells[gene]--;
          sums.geneTotal[gene] -= rows.values[i];
        }
      }
    });
  }
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
