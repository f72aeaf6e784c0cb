import { SCRATCH_NAMES, type JobContext, type ScanSummary } from '@shardex/shared/artifacts';
import { isRatioMethod } from '@shardex/shared/config';
import { InvalidInputError } from '@shardex/shared/errors';
import { decodeRowsReference } from '@shardex/shared/kernels';
import { LogCountSums } from '@shardex/shared/stats';
import { keptGroups } from '../../domain/index.js';
import { withArtifact, type ReductionScope, type ScanReader } from './scratch.js';

/** Sums over all scan outputs, of the cells and groups that the filters leave. */
export interface ScanSums {
  readonly total: Float64Array;
  readonly nGenes: Uint32Array;
  /** Cells that take part: not dropped by a cell filter, nor with their group. */
  readonly kept: Uint8Array;
  readonly geneTotal: Float64Array;
  readonly geneCells: Uint32Array;
  /** Σ log y per gene; null when no stage needs it. */
  readonly logSums: LogCountSums | null;
  /** Cells of each group, dropped ones included. */
  readonly groupCells: Uint32Array;
  readonly groupNonzeros: Float64Array;
  readonly groupKept: Uint8Array;
  readonly chunkHashes: Map<string, string>;
  readonly counts: { nonzeros: number; emptyCells: number; fewGenesCells: number };
}

/** Number of cells that take part. */
export const keptCellsOf = ({ kept }: ScanSums): number => kept.reduce((n, one) => n + one, 0);

/**
 * Adds up what the scan found and applies the perturbation filter.
 *
 * @throws InvalidInputError when no perturbation is left, or nothing to compare it with
 */
export async function sumScans(scope: ReductionScope): Promise<ScanSums> {
  const { context } = scope;
  const { nCells, nGenes, groupLabels } = context;
  const needsLogs = isRatioMethod(context.parameters.sizeFactors);
  const groupKept = new Uint8Array(groupLabels.length);
  const sums: ScanSums = {
    total: new Float64Array(nCells),
    nGenes: new Uint32Array(nCells),
    kept: new Uint8Array(nCells),
    geneTotal: new Float64Array(nGenes),
    geneCells: new Uint32Array(nGenes),
    logSums: needsLogs ? new LogCountSums(nCells, new Float64Array(nGenes)) : null,
    groupCells: new Uint32Array(groupLabels.length),
    groupNonzeros: new Float64Array(groupLabels.length),
    groupKept,
    chunkHashes: new Map(),
    counts: { nonzeros: 0, emptyCells: 0, fewGenesCells: 0 },
  };
  const names = scope.outputs['scan'] ?? [];
  for (const [i, name] of names.entries()) {
    scope.checkCancelled();
    await withArtifact<ScanSummary, void>(scope.store, name, (reader) => addScan(sums, reader));
    scope.report((i + 1) / names.length);
  }
  groupKept.set(keptGroups(sums.groupCells, context.parameters.minCellsPerPerturbation));
  await dropGroups(scope, sums);
  return sums;
}

async function addScan(sums: ScanSums, reader: ScanReader): Promise<void> {
  const { meta } = reader;
  sums.total.set(await reader.f64('total'), meta.rowBegin);
  sums.nGenes.set(await reader.u32('nGenes'), meta.rowBegin);
  sums.kept.set(await reader.u8('kept'), meta.rowBegin);
  addInto(sums.geneTotal, await reader.f64('geneTotal'));
  addInto(sums.geneCells, await reader.u32('geneCells'));
  if (sums.logSums !== null) addInto(sums.logSums.sums, await reader.f64('geneLogSums'));
  const groupRows = await reader.u32('groupRows');
  const rowNonzeros = await reader.u32('rowNonzeros');
  for (let g = 0; g + 1 < groupRows.length; g++) {
    sums.groupCells[g] += groupRows[g + 1] - groupRows[g];
    for (let row = groupRows[g]; row < groupRows[g + 1]; row++) sums.groupNonzeros[g] += rowNonzeros[row];
  }
  sums.counts.nonzeros += meta.nonzeros;
  sums.counts.emptyCells += meta.emptyCells;
  sums.counts.fewGenesCells += meta.fewGenesCells;
  // A chunk on the border of two shards is read by both; the same bytes give the same hash.
  for (const [dataset, chunk, hash] of meta.chunkHashes) sums.chunkHashes.set(`${dataset} ${chunk}`, hash);
}

function addInto(sums: Float64Array | Uint32Array, terms: Float64Array | Uint32Array): void {
  for (let i = 0; i < sums.length; i++) sums[i] += terms[i];
}

/** Takes the cells of dropped groups out of the kept cells and the per-gene sums. */
async function dropGroups(scope: ReductionScope, sums: ScanSums): Promise<void> {
  const { store, context } = scope;
  const { groupKept } = sums;
  const { reference } = context.parameters;
  if (sums.groupCells[0] === 0 && reference === 'control') {
    throw new InvalidInputError(`no cell of the control "${context.groupLabels[0]}" is left after the cell filters`, {
      hint: 'lower --min-genes or check the matrix chosen with --layer',
    });
  }
  if (groupKept.every((kept, g) => g === 0 || kept === 0)) {
    throw new InvalidInputError('no perturbation is left after the filters', {
      hint: 'lower --min-genes or --min-cells-per-perturbation',
    });
  }
  if (reference !== 'control' && groupKept.reduce((n, kept) => n + kept, 0) < 2) {
    throw new InvalidInputError(
      'one group of cells alone is left after the filters: it has no others to compare with',
      {
        hint: 'lower --min-genes or --min-cells-per-perturbation, or leave out --reference',
      },
    );
  }
  if (groupKept.every((kept) => kept === 1)) return;
  const group = await withArtifact<JobContext, Int32Array>(store, SCRATCH_NAMES.context, (reader) =>
    reader.i32('group'),
  );
  for (let cell = 0; cell < group.length; cell++) {
    if (group[cell] >= 0 && groupKept[group[cell]] === 0) sums.kept[cell] = 0;
  }
  for (const name of scope.outputs['scan'] ?? []) {
    scope.checkCancelled();
    await withArtifact<ScanSummary, void>(store, name, (reader) => subtractGroups(context, sums, reader));
  }
}

/** They are few, by definition, so the plain decoder does. */
async function subtractGroups(context: JobContext, sums: ScanSums, reader: ScanReader): Promise<void> {
  const kind = context.inputScale === 'counts' ? 'count' : 'real';
  const groupRows = await reader.u32('groupRows');
  for (let g = 1; g + 1 < groupRows.length; g++) {
    if (sums.groupKept[g] === 1 || groupRows[g] === groupRows[g + 1]) continue;
    const offsets = await reader.u32('rowOffsets', groupRows[g], groupRows[g + 1] + 1);
    const bytes = await reader.u8('rows', offsets[0], offsets[offsets.length - 1]);
    const relative = offsets.map((offset) => offset - offsets[0]);
    const { indices, values } = decodeRowsReference(kind, bytes, relative, 0, context.nGenes);
    for (const [i, gene] of indices.entries()) {
      sums.geneCells[gene]--;
      sums.geneTotal[gene] -= values[i];
    }
    sums.logSums?.subtract(indices, values, 0, indices.length);
  }
}
