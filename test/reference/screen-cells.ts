import { expect } from 'vitest';
import { columnTexts, openRowSource, readH5adMetadata } from '@shardex/shared/h5ad';
import { openByteSource } from '@shardex/shared/storage';

/** A screen as its cells, in the order of the file. */
export interface ScreenCells {
  readonly genes: readonly string[];
  /** Place of a cell by its name. */
  readonly position: ReadonlyMap<string, number>;
  /** Perturbation of each cell. */
  readonly labels: readonly (string | null)[];
  /** Genes and counts of each cell. */
  readonly rows: readonly { readonly genes: number[]; readonly counts: number[] }[];
}

/** Reads X and the perturbation of every cell. */
export const readScreenCells = async (path: string): Promise<ScreenCells> => {
  const metadata = await readH5adMetadata(path, { matrix: 'X', obsColumns: ['perturbation'], obsNames: true });
  const source = await openByteSource(path);
  const rows: { genes: number[]; counts: number[] }[] = [];
  const { descriptor, obsNames, varNames, columns } = metadata;
  if (descriptor === null || obsNames === null || varNames === null) return expect.fail('the file was not read');
  for await (const block of openRowSource(descriptor, source).blocks(0, metadata.nObs, 1 << 18)) {
    for (let row = 0; row < block.nRows; row++) {
      const [begin, end] = [block.indptr[row], block.indptr[row + 1]];
      rows.push({
        genes: Array.from(block.indices.subarray(begin, end)),
        counts: Array.from(block.values.subarray(begin, end), Number),
      });
    }
  }
  await source.close();
  const position = new Map(obsNames.map((name, cell) => [name, cell]));
  return { genes: varNames, position, labels: columnTexts(columns[0]), rows };
};
