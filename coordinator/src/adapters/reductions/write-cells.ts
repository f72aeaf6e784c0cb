import { join } from 'node:path';
import { SCRATCH_NAMES, type JobContext, type SizeFactorSummary } from '@shardex/shared/artifacts';
import { InvalidInputError } from '@shardex/shared/errors';
import {
  openH5adMetadata,
  ParquetTableWriter,
  type H5adMetadataSession,
  type RowRange,
  type TableWriter,
} from '@shardex/shared/h5ad';
import { withArtifact, type ReductionScope } from './scratch.js';

/** Rows of one Parquet row group: about 3 MB. */
const BLOCK_ROWS = 65_536;

export const CELLS_FILE = 'cells.parquet';

/** Writes `cells.parquet`, what the run made of every cell of the file, all but its name. @param folder - a local one */
export async function fillCells(scope: ReductionScope, folder: string): Promise<TableWriter> {
  const input = openH5adMetadata(scope.context.parameters.input);
  try {
    return await fillFrom(input, scope, folder);
  } finally {
    await input.close();
  }
}

/** @param input - of which the names of some cells are read at a time */
async function fillFrom(input: H5adMetadataSession, scope: ReductionScope, folder: string): Promise<TableWriter> {
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
        await readNames(input, scope, { begin, end }),
        Array.from(group.subarray(begin, end), (g) => (g < 0 ? '' : groupLabels[g])),
        cells.total.subarray(begin, end),
        Int32Array.from(cells.nGenes.subarray(begin, end)),
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

async function readNames(
  input: H5adMetadataSession,
  { context }: ReductionScope,
  rows: RowRange,
): Promise<readonly string[]> {
  const { obsNames, version } = await input.read({ obsNames: rows, varNames: false });
  if (version !== context.inputVersion) {
    throw new InvalidInputError(`${context.parameters.input} changed while the job was running`, {
      hint: 'run again once nothing writes to it',
    });
  }
  return obsNames ?? [];
}

interface CellArrays {
  readonly total: Float64Array;
  readonly nGenes: Uint32Array;
  readonly sizeFactor: Float64Array;
  readonly kept: Uint8Array;
}
