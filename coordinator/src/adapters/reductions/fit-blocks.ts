import { fitArrayName, type BundleReader, type FitSummary, type ResultLayer } from '@shardex/shared/artifacts';
import type { TestName } from '@shardex/shared/config';
import type { MatrixRows } from '@shardex/shared/h5ad';
import { bonferroni, countTests, GlobalBenjaminiHochberg } from '@shardex/shared/stats';
import { UnnamedFile } from '@shardex/shared/storage';
import { AdjustedBlocks, type Adjustment } from './adjusted-blocks.js';
import type { FitBlock, FitOutputs } from './fit-outputs.js';
import { withArtifact, type ReductionScope } from './scratch.js';

/** A run of result rows, one array a layer. */
export type LayerArrays = ReadonlyMap<string, MatrixRows>;

/** Adjusted p-values over the whole screen, and how many genes were tested for each result row. */
export interface ScreenWide {
  /** Tests that the adjustment counts. */
  readonly nTests: number;
  readonly adjusted: AdjustedBlocks;
  readonly testedPerRow: Int32Array;
  /** Gives back what did not fit into memory. */
  close(): void;
}

/**
 * What the adjustment over the whole screen needs to know, from at most two passes over all p-values of a test.
 *
 * @param file - one of the results: what does not fit into memory goes beside it
 */
export async function screenWide(
  scope: ReductionScope,
  test: TestName,
  fits: FitOutputs,
  file: string,
): Promise<ScreenWide> {
  const { nGenes, parameters } = scope.context;
  const global =
    parameters.correction === 'bonferroni' ? null : new GlobalBenjaminiHochberg(() => UnnamedFile.beside(file));
  let nTests = 0;
  const testedPerRow = new Int32Array(fits.groups.length);
  const pValuesOf = (block: FitBlock): Promise<Float64Array> => {
    scope.checkCancelled();
    const name = fitArrayName(test, 'pvalue');
    const [begin, end] = valuesOf(block, nGenes);
    const read = (reader: BundleReader<FitSummary>): Promise<Float64Array> => reader.f64(name, begin, end);
    return withArtifact(scope.store, block.name, read);
  };
  const eachBlock = async (look: (pValues: Float64Array, block: FitBlock) => void): Promise<void> => {
    for (const block of fits.blocks) look(await pValuesOf(block), block);
  };
  const close = (): void => global?.close();
  try {
    await eachBlock((pValues, { rowBegin, rowEnd }) => {
      for (let row = rowBegin; row < rowEnd; row++) {
        const begin = (row - rowBegin) * nGenes;
        testedPerRow[row] = countTests(pValues.subarray(begin, begin + nGenes));
        nTests += testedPerRow[row];
      }
      global?.add(pValues);
    });
    while (global?.nextPass() === true) await eachBlock((pValues) => global.collect(pValues));
  } catch (error) {
    close();
    throw error;
  }
  const adjustment: Adjustment = global ?? {
    isOnFile: false,
    adjustAll: (pValues, out) => bonferroni(pValues, out, nTests),
  };
  return { nTests, testedPerRow, adjusted: new AdjustedBlocks(fits.blocks, nGenes, adjustment, pValuesOf), close };
}

/** Where a block's values stand in the arrays of its output. */
const valuesOf = ({ outputRow, rowBegin, rowEnd }: FitBlock, nGenes: number): readonly [begin: number, end: number] => [
  outputRow * nGenes,
  (outputRow + rowEnd - rowBegin) * nGenes,
];

/** The rows of one block, with what the whole screen adds to them. */
export async function readBlock(
  scope: ReductionScope,
  test: TestName,
  layers: readonly ResultLayer[],
  block: FitBlock,
  screen: ScreenWide,
): Promise<LayerArrays> {
  const arrays = new Map<string, MatrixRows>();
  const [begin, end] = valuesOf(block, scope.context.nGenes);
  const read = (output: string, wanted: readonly ResultLayer[]): Promise<void> =>
    withArtifact<unknown, void>(scope.store, output, async (reader) => {
      await Promise.all(
        wanted.map(async ({ name, dtype }) =>
          arrays.set(name, await reader[dtype](fitArrayName(test, name), begin, end)),
        ),
      );
    });
  await read(
    block.name,
    layers.filter((layer) => layer.merged !== true && layer.shrunk !== true),
  );
  const shrunk = layers.filter((layer) => layer.shrunk === true);
  if (block.shrunkName !== null && shrunk.length > 0) await read(block.shrunkName, shrunk);
  const pValues = arrays.get('pvalue') as Float64Array;
  arrays.set('pvalue_adj_global', await screen.adjusted.of(block, pValues));
  return arrays;
}
