import { fitArrayName, type BundleReader, type FitSummary, type ResultLayer } from '@shardex/shared/artifacts';
import type { TestName } from '@shardex/shared/config';
import type { MatrixRows } from '@shardex/shared/h5ad';
import type { FitBlock } from './fit-outputs.js';
import { withArtifact, type ReductionScope } from './scratch.js';
import type { ScreenWide } from './screen-tally.js';

/** A run of result rows, one array a layer. */
export type LayerArrays = ReadonlyMap<string, MatrixRows>;

/** Whether a layer's rows are final as a fit leaves them. */
export const isFitted = ({ merged, shrunk }: ResultLayer): boolean => merged !== true && shrunk !== true;

/** The rows of one block as its fit left them. @param layers - those that later stages make are left out */
export function readFitted(
  scope: ReductionScope,
  test: TestName,
  layers: readonly ResultLayer[],
  block: FitBlock,
): Promise<LayerArrays> {
  return readLayers(scope, block.name, test, layers.filter(isFitted), block);
}

/** The p-values of one block. */
export function readPValues(scope: ReductionScope, test: TestName, block: FitBlock): Promise<Float64Array> {
  const [begin, end] = valuesOf(block, scope.context.nGenes);
  const read = (reader: BundleReader<FitSummary>): Promise<Float64Array> =>
    reader.f64(fitArrayName(test, 'pvalue'), begin, end);
  return withArtifact(scope.store, block.name, read);
}

/** The rows of one block, with what the whole screen adds to them. */
export async function readBlock(
  scope: ReductionScope,
  test: TestName,
  layers: readonly ResultLayer[],
  block: FitBlock,
  screen: ScreenWide,
): Promise<LayerArrays> {
  const fitted = await readFitted(scope, test, layers, block);
  const shrunkLayers = layers.filter((layer) => layer.shrunk === true);
  const shrunk =
    block.shrunkName === null || shrunkLayers.length === 0
      ? []
      : await readLayers(scope, block.shrunkName, test, shrunkLayers, block);
  const pValues = (fitted.get('pvalue') as Float64Array | undefined) ?? (await readPValues(scope, test, block));
  return new Map([...fitted, ...shrunk, ['pvalue_adj_global', await screen.adjusted.of(block, pValues)]]);
}

async function readLayers(
  scope: ReductionScope,
  output: string,
  test: TestName,
  layers: readonly ResultLayer[],
  block: FitBlock,
): Promise<LayerArrays> {
  if (layers.length === 0) return new Map();
  const [begin, end] = valuesOf(block, scope.context.nGenes);
  return withArtifact<unknown, LayerArrays>(scope.store, output, async (reader) => {
    const read = layers.map(
      async ({ name, dtype }) => [name, await reader[dtype](fitArrayName(test, name), begin, end)] as const,
    );
    return new Map<string, MatrixRows>(await Promise.all(read));
  });
}

/** Where a block's values stand in the arrays of its output. */
const valuesOf = ({ outputRow, rowBegin, rowEnd }: FitBlock, nGenes: number): readonly [begin: number, end: number] => [
  outputRow * nGenes,
  (outputRow + rowEnd - rowBegin) * nGenes,
];
