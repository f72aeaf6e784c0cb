import { join } from 'node:path';
import { SCRATCH_NAMES, type JobContext, type SizeFactorSummary } from '@shardex/shared/artifacts';
import { openCellNames, ParquetTableWriter, type CellNames, type TableWriter } from '@shardex/shared/h5ad';
import { withArtifact, type ReductionScope } from './scratch.js';

/** Rows of one Parquet row group: about 3 MB. */
const BLOCK_ROWS = 65_536;

export const CELLS_FILE = 'cells.parquet';

/** Writes `cells.parquet`, what the run made of every cell of the file, all but its name. @param folder - a local one */
export async function fillCells(scope: ReductionScope, folder: string): Promise<TableWriter> {
  const { parameters, inputVersion, cellNamesAddress } = scope.context;
  const described = { version: inputVersion, obsNamesAddress: cellNamesAddress };
  const names = await openCellNames(parameters.input, described);
  try {
    return await fillFrom(names, scope, folder);
  } finally {
    await names.close();
  }
}

/** @param names - of which some are read at a time */
async function fillFrom(names: CellNames, scope: ReductionScope, folder: string): Promise<TableWriter> {
  const { context, store } = scope;
  const { groupLabels, nCells } = context;
  const group = await withArtifact<JobContext, Int32Array>(store, SCRATCH_NAMES.context, (reader) =>
    reader.i32('group'),
  );
  const cells = await withArtifact<SizeFactorSummary, CellArrays>(store, SCRATCH_NAMES.sizeFactors, async (reader) => ({
    total: await reader.f64('total'),
    nGenes: await reader.u32('nGenes'),
    sizeFactor: await reader.f64('sizeFactor'),
    kept: await reader.u8('kept'),
  }));
  const table = await ParquetTableWriter.create(join(folder, CELLS_FILE), [
    { name: 'cell', type: 'string', isDistinct: true },
    { name: 'perturbation', type: 'string' },
    { name: 'total', type: 'f64' },
    { name: 'n_genes', type: 'i32' },
    { name: 'size_factor', type: 'f64' },
    { name: 'kept', type: 'u8' },
  ]);
  try {
    for (let begin = 0; begin < nCells; begin += BLOCK_ROWS) {
      scope.checkCancelled();
      const end = Math.min(nCells, begin + BLOCK_ROWS);
      await table.append([
        await names.read({ begin, end }),
        Array.from(group.subarray(begin, end), (g) => (g < 0 ? '' : groupLabels[g])),
        cells.total.subarray(begin, end),
        new Int32Array(cells.nGenes.subarray(begin, end)),
        cells.sizeFactor.subarray(begin, end),
        cells.kept.subarray(begin, end),
      ]);
    }
    await table.settle();
    return table;
  } catch (error) {
    await table.abort();
    throw error;
  }
}

interface CellArrays {
  readonly total: Float64Array;
  readonly nGenes: Uint32Array;
  readonly sizeFactor: Float64Array;
  readonly kept: Uint8Array;
}
