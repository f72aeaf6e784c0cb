import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { File, ready } from 'h5wasm/node';

/** A screen read whole by the HDF5 library: small files of the reference data only. */
export interface ScreenFile {
  readonly genes: readonly string[];
  /** Label of each cell. */
  readonly labels: readonly string[];
  readonly indptr: Uint32Array;
  readonly indices: Uint32Array;
  readonly counts: Float64Array;
}

/** Reads an h5ad file whose X is CSR and whose label column is categorical. */
export const readScreenFile = async (path: string, column: string): Promise<ScreenFile> => {
  const { FS } = await ready;
  const name = basename(path);
  FS.writeFile(name, await readFile(path));
  const file = new File(name, 'r');
  try {
    const valueOf = (dataset: string): ArrayLike<number> & ArrayLike<string> =>
      (file.get(dataset) as unknown as { value: ArrayLike<number> & ArrayLike<string> }).value;
    const index = (file.get('var') as unknown as { attrs: Record<string, { value: string }> }).attrs['_index'].value;
    const categories = Array.from(valueOf(`obs/${column}/categories`), String);
    return {
      genes: Array.from(valueOf(`var/${index}`), String),
      labels: Array.from(valueOf(`obs/${column}/codes`), (code) => categories[Number(code)]),
      indptr: Uint32Array.from(valueOf('X/indptr'), Number),
      indices: Uint32Array.from(valueOf('X/indices'), Number),
      counts: Float64Array.from(valueOf('X/data'), Number),
    };
  } finally {
    file.close();
    FS.unlink(name);
  }
};

/** One row of a table made by scanpy's `get.rank_genes_groups_df`, its names kept. */
export interface ScanpyRow {
  readonly group: string;
  readonly gene: string;
  readonly score: number;
  readonly logFoldChange: number;
  readonly pValue: number;
  readonly adjusted: number;
  readonly expressing: number;
}

/** Reads such a table; `onlyGroup` names the group where the table has none because there is one. */
export const readScanpyTable = async (folder: string, test: string, onlyGroup: string): Promise<ScanpyRow[]> => {
  const text = gunzipSync(await readFile(join(folder, `scanpy_${test}.csv.gz`))).toString('utf8');
  const [header, ...lines] = text.trim().split('\n');
  const names = header.split(',');
  return lines.map((line) => {
    const cells = line.split(',');
    const cell = (name: string): string => cells[names.indexOf(name)] ?? '';
    return {
      group: names.includes('group') ? cell('group') : onlyGroup,
      gene: cell('names'),
      score: Number(cell('scores')),
      logFoldChange: Number(cell('logfoldchanges')),
      pValue: Number(cell('pvals')),
      adjusted: Number(cell('pvals_adj')),
      expressing: Number(cell('pct_nz_group')),
    };
  });
};
