import { basename, join } from 'node:path';
import { resultLayers, TEST_OUTPUTS, tidyColumns, type ResultLayer } from '@shardex/shared/artifacts';
import type { OutputFormat, TestName } from '@shardex/shared/config';
import {
  CsvWriter,
  H5adFileWriter,
  ParquetTableWriter,
  type MatrixPath,
  type MatrixRows,
  type TableValues,
  type TableWriter,
} from '@shardex/shared/h5ad';
import { isFitted, readBlock, readFitted, readPValues, type LayerArrays } from './fit-blocks.js';
import type { FitBlock, FitOutputs } from './fit-outputs.js';
import { foretellTest } from './foretold-skeleton.js';
import type { FrozenSummary } from './frozen-summary.js';
import { RankedGenes } from './rank-genes-groups.js';
import { ScreenTally } from './screen-tally.js';
import type { ReductionScope } from './scratch.js';
import { describeTest } from './test-skeleton.js';

/**
 * The files of one test while they are being written: rows of the h5ad file as fits leave them, in any order, then what the
 * whole screen adds to them.
 */
export class TestFiles {
  private h5ad: H5adFileWriter | null = null;
  private readonly tables: TableWriter[] = [];
  private readonly names: string[] = [];
  private readonly layers: readonly ResultLayer[];
  private readonly tally: ScreenTally;
  /** 1 for each result row that was added. */
  private readonly added: Uint8Array;

  private constructor(
    { context }: ReductionScope,
    private readonly test: TestName,
    nRows: number,
    /** Path of its files without their extensions. */
    private readonly base: string,
  ) {
    const { parameters, nGenes } = context;
    this.layers = resultLayers(test, parameters);
    this.tally = new ScreenTally(parameters.correction, nRows, nGenes, `${base}.h5ad`);
    this.added = new Uint8Array(nRows);
  }

  /**
   * Opens the files of one test in every format asked for.
   *
   * @param folder - a local one
   * @param groups - of the result rows
   */
  static async open(
    scope: ReductionScope,
    folder: string,
    test: TestName,
    frozen: FrozenSummary,
    groups: readonly number[],
  ): Promise<TestFiles> {
    const files = new TestFiles(scope, test, groups.length, join(folder, TEST_OUTPUTS[test].file));
    try {
      await files.create(scope, frozen, groups);
      return files;
    } catch (error) {
      await files.abort();
      throw error;
    }
  }

  /** Writes and counts the rows of a block that are not there yet, as their fit left them. */
  async add(scope: ReductionScope, block: FitBlock): Promise<void> {
    for (const part of this.missing(block)) {
      const { h5ad } = this;
      if (h5ad === null) this.tally.add(await readPValues(scope, this.test, part), part.rowBegin);
      else {
        const arrays = await readFitted(scope, this.test, this.layers, part);
        await writeLayers(h5ad, arrays, part);
        this.tally.add(arrays.get('pvalue') as Float64Array, part.rowBegin);
      }
      this.added.fill(1, part.rowBegin, part.rowEnd);
    }
  }

  /** Writes all that is not there yet: rows that were not added, and what needs all of them. */
  async fill(
    scope: ReductionScope,
    frozen: FrozenSummary,
    fits: FitOutputs,
    report: (fraction: number) => void,
  ): Promise<void> {
    const each = async (look: (block: FitBlock) => Promise<void>): Promise<void> => {
      for (const block of fits.blocks) {
        scope.checkCancelled();
        await look(block);
      }
    };
    await each((block) => this.add(scope, block));
    report(0.5);
    const screen = await this.tally.complete(fits.blocks, (block) => {
      scope.checkCancelled();
      return readPValues(scope, this.test, block);
    });
    const isRanked = scope.context.parameters.scanpy && this.h5ad !== null;
    const ranked = isRanked ? await RankedGenes.collect(scope, this.test, fits, screen) : null;
    const skeleton = describeTest(scope, this.test, this.layers, frozen, fits, screen, ranked);
    const isInPlace = (await this.h5ad?.describe(skeleton)) !== false;
    const left = isInPlace ? this.layers.filter((layer) => !isFitted(layer)) : this.layers;
    await each(async (block) => {
      const arrays = await readBlock(scope, this.test, this.tables.length > 0 ? this.layers : left, block, screen);
      if (this.h5ad !== null) await writeLayers(this.h5ad, named(arrays, left), block);
      for (const table of this.tables) await appendTidy(table, scope, this.layers, arrays, block, fits);
      report(0.5 + (0.5 * block.rowEnd) / fits.groups.length);
    });
    this.tally.close();
  }

  /** Waits until what was filled in is on disk; the next test's files can be filled meanwhile. */
  async settle(): Promise<void> {
    await Promise.all([this.h5ad?.settle(), ...this.tables.map((table) => table.settle())]);
  }

  /** Renames the files into place and returns their names. */
  async close(): Promise<readonly string[]> {
    await this.h5ad?.close();
    for (const table of this.tables) await table.close();
    return this.names;
  }

  async abort(): Promise<void> {
    this.tally.close();
    await this.h5ad?.abort();
    for (const table of this.tables) await table.abort();
  }

  private async create(scope: ReductionScope, frozen: FrozenSummary, groups: readonly number[]): Promise<void> {
    const pathOf = (format: OutputFormat): string => {
      const path = `${this.base}.${format}`;
      this.names.push(basename(path));
      return path;
    };
    const formats = new Set<OutputFormat>(scope.context.parameters.formats);
    if (formats.has('h5ad')) {
      const { skeleton, spareBytes } = foretellTest(scope, this.test, this.layers, frozen, groups);
      this.h5ad = await H5adFileWriter.create(pathOf('h5ad'), skeleton, spareBytes);
    }
    const columns = tidyColumns(this.layers);
    if (formats.has('csv')) this.tables.push(await CsvWriter.create(pathOf('csv'), columns));
    if (formats.has('parquet')) this.tables.push(await ParquetTableWriter.create(pathOf('parquet'), columns));
  }

  /** The runs of a block's rows that were not added. */
  private *missing(block: FitBlock): Generator<FitBlock> {
    const { rowBegin, rowEnd, outputRow } = block;
    for (let begin = rowBegin, end = begin; begin < rowEnd; begin = end + 1) {
      end = begin;
      while (end < rowEnd && this.added[end] === 0) end++;
      if (end > begin) yield { ...block, rowBegin: begin, rowEnd: end, outputRow: outputRow + begin - rowBegin };
    }
  }
}

const named = (arrays: LayerArrays, layers: readonly ResultLayer[]): LayerArrays =>
  new Map(layers.map(({ name }) => [name, arrays.get(name) as MatrixRows]));

async function writeLayers(h5ad: H5adFileWriter, arrays: LayerArrays, { rowBegin }: FitBlock): Promise<void> {
  const written = [...arrays].map(([name, rows]) => {
    const path: MatrixPath = name === 'X' ? 'X' : `layers/${name}`;
    return h5ad.writeRows(path, rowBegin, rows);
  });
  await Promise.all(written);
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
