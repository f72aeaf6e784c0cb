import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TEST_OUTPUTS, tidyColumns, type ResultLayer } from '@shardex/shared/artifacts';
import {
  CsvWriter,
  H5adFileExtension,
  ParquetTableWriter,
  type TableValues,
  type TableWriter,
} from '@shardex/shared/h5ad';
import { PRIOR_SCALE_COLUMN, shrinkageUns } from '../../domain/index.js';
import type { ResultFile } from '../results/result-file.js';
import { rowRuns } from '../results/tidy-rows.js';
import type { ShrunkenRows } from './shrunken-rows.js';

const { file: FILE, layers: LAYERS } = TEST_OUTPUTS['nb-glm'];
const FOLD_CHANGE = 'logfoldchange_shrunk';
const ERROR = 'standard_error_shrunk';
const ARRAYS = { f32: Float32Array, f64: Float64Array, u8: Uint8Array, i32: Int32Array } as const;

/**
 * Adds shrunken fold changes to `nb_glm.h5ad`, and to the tables beside it where there are any. The files are written under
 * temporary names; they are renamed when all are complete.
 */
export async function addShrunken(folder: string, results: ResultFile, shrunken: ShrunkenRows): Promise<void> {
  const { shrinkage } = shrunken;
  const nGenes = results.genes.length;
  const layers = LAYERS.filter(({ name, shrunk }) => shrunk === true || results.layers.includes(name));
  const tables = await openTables(folder, layers);
  let extension: H5adFileExtension | null = null;
  try {
    extension = await H5adFileExtension.create(results.path, {
      shape: [results.perturbations.length, nGenes],
      layers: [
        { name: FOLD_CHANGE, dtype: 'f32' },
        { name: ERROR, dtype: 'f32' },
      ],
      obs: { [PRIOR_SCALE_COLUMN]: shrinkage.priorScales },
      uns: { shrinkage: shrinkageUns(shrinkage) },
    });
    const kept = layers.filter(({ shrunk }) => shrunk !== true).map(({ name }) => name);
    const open = tables.length === 0 ? [] : await results.openLayers(kept);
    for (const [begin, end] of rowRuns(0, results.perturbations.length, nGenes)) {
      const { foldChanges, errors } = await shrunken.read(begin, end);
      await extension.writeRows(FOLD_CHANGE, begin, foldChanges);
      await extension.writeRows(ERROR, begin, errors);
      if (tables.length === 0) continue;
      const rows = new Map<string, ArrayLike<number>>(await results.readRows(open, begin, end));
      rows.set(FOLD_CHANGE, foldChanges).set(ERROR, errors);
      for (let row = begin; row < end; row++) {
        const values = tidyValues(results, layers, rows, row, (row - begin) * nGenes);
        for (const table of tables) await table.append(values);
      }
    }
    await extension.close();
    for (const table of tables) await table.close();
  } catch (error) {
    await extension?.abort();
    for (const table of tables) await table.abort();
    throw error;
  }
}

async function openTables(folder: string, layers: readonly ResultLayer[]): Promise<TableWriter[]> {
  const columns = tidyColumns(layers);
  const [csv, parquet] = ['csv', 'parquet'].map((format) => join(folder, `${FILE}.${format}`));
  const tables: TableWriter[] = [];
  if (existsSync(csv)) tables.push(await CsvWriter.create(csv, columns));
  if (existsSync(parquet)) tables.push(await ParquetTableWriter.create(parquet, columns));
  return tables;
}

function tidyValues(
  results: ResultFile,
  layers: readonly ResultLayer[],
  rows: ReadonlyMap<string, ArrayLike<number>>,
  row: number,
  begin: number,
): TableValues[] {
  const nGenes = results.genes.length;
  const values: TableValues[] = [new Array<string>(nGenes).fill(results.perturbations[row]), results.genes];
  for (const { name, dtype } of layers) {
    const layer = rows.get(name) ?? [];
    const column = new ARRAYS[dtype](nGenes);
    for (let gene = 0; gene < nGenes; gene++) column[gene] = layer[begin + gene];
    values.push(column);
  }
  return values;
}
