import { join } from 'node:path';
import { resultLayers, TEST_OUTPUTS, tidyColumns, type ResultLayer } from '@shardex/shared/artifacts';
import type { OutputFormat, TestName } from '@shardex/shared/config';
import {
  CsvWriter,
  H5adFileWriter,
  ParquetTableWriter,
  type H5adWriter,
  type MatrixPath,
  type MatrixRows,
  type TableValues,
  type TableWriter,
} from '@shardex/shared/h5ad';
import { readBlock, screenWide, type LayerArrays } from './fit-blocks.js';
import type { FitBlock, FitOutputs } from './fit-outputs.js';
import type { FrozenSummary } from './frozen-summary.js';
import { RankedGenes } from './rank-genes-groups.js';
import { describeTest } from './test-skeleton.js';
import type { ReductionScope } from './scratch.js';

/** The files of one test while they are being written. */
export interface TestFiles {
  fill(report: (fraction: number) => void): Promise<void>;
  /** Waits until what was filled in is on disk; the next test's files can be filled meanwhile. */
  settle(): Promise<void>;
  /** Renames the files into place and returns their names. */
  close(): Promise<string[]>;
  abort(): Promise<void>;
}

/** Opens the files of one test in every format asked for. @param folder - a local one */
export async function openTestFiles(
  scope: ReductionScope,
  folder: string,
  test: TestName,
  frozen: FrozenSummary,
  fits: FitOutputs,
): Promise<TestFiles> {
  const { parameters } = scope.context;
  const layers = resultLayers(test, parameters);
  const base = join(folder, TEST_OUTPUTS[test].file);
  const adjust = await screenWide(scope, test, fits, `${base}.h5ad`);
  const formats = new Set<OutputFormat>(parameters.formats);
  const ranked = parameters.scanpy && formats.has('h5ad') ? await RankedGenes.collect(scope, test, fits, adjust) : null;
  const h5ad = formats.has('h5ad')
    ? await H5adFileWriter.create(`${base}.h5ad`, describeTest(scope, test, layers, frozen, fits, adjust, ranked))
    : null;
  const columns = tidyColumns(layers);
  const tables: TableWriter[] = [];
  const names: string[] = h5ad === null ? [] : [`${TEST_OUTPUTS[test].file}.h5ad`];
  if (formats.has('csv')) {
    tables.push(await CsvWriter.create(`${base}.csv`, columns));
    names.push(`${TEST_OUTPUTS[test].file}.csv`);
  }
  if (formats.has('parquet')) {
    tables.push(await ParquetTableWriter.create(`${base}.parquet`, columns));
    names.push(`${TEST_OUTPUTS[test].file}.parquet`);
  }
  return {
    async fill(report) {
      for (const [i, block] of fits.blocks.entries()) {
        scope.checkCancelled();
        const arrays = await readBlock(scope, test, layers, block, adjust);
        if (h5ad !== null) await writeLayers(h5ad, layers, arrays, block);
        for (const table of tables) await appendTidy(table, scope, layers, arrays, block, fits);
        report((i + 1) / fits.blocks.length);
      }
      adjust.close();
    },
    async settle() {
      await Promise.all([h5ad?.settle(), ...tables.map((table) => table.settle())]);
    },
    async close() {
      await h5ad?.close();
      for (const table of tables) await table.close();
      return names;
    },
    async abort() {
      adjust.close();
      await h5ad?.abort();
      for (const table of tables) await table.abort();
    },
  };
}

async function writeLayers(
  h5ad: H5adWriter,
  layers: readonly ResultLayer[],
  arrays: LayerArrays,
  block: FitBlock,
): Promise<void> {
  await Promise.all(
    layers.map(({ name }) => {
      const path: MatrixPath = name === 'X' ? 'X' : `layers/${name}`;
      return h5ad.writeRows(path, block.rowBegin, arrays.get(name) as MatrixRows);
    }),
  );
}

async function appendTidy(
  table: TableWriter,
  scope: ReductionScope,
  layers: readonly ResultLayer[],
  arrays: LayerArrays,
  block: FitBlock,
  fits: FitOutputs,
): Promise<void> {
  const { nGenes, geneNames, groupLabels } = scope.context;
  for (let row = block.rowBegin; row < block.rowEnd; row++) {
    const label = groupLabels[fits.groups[row]];
    const begin = (row - block.rowBegin) * nGenes;
    const values: TableValues[] = [new Array<string>(nGenes).fill(label), geneNames];
    for (const { name } of layers) values.push((arrays.get(name) as MatrixRows).subarray(begin, begin + nGenes));
    await table.append(values);
  }
}
