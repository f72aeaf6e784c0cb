import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CsvWriter,
  H5adFileWriter,
  ParquetTableWriter,
  type H5adSkeleton,
  type TableColumn,
  type TableValues,
} from '@shardex/shared/h5ad';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithPeers, runPeerScript } from '../support/peers.js';

const SCRIPT = new URL('./anndata-roundtrip.py', import.meta.url);

const SKELETON: H5adSkeleton = {
  obs: {
    index: ['KO1', 'KO2', 'KO é'],
    columns: {
      group: { kind: 'categorical', categories: ['x', 'y'], codes: new Int8Array([1, -1, 0]) },
      dose: { kind: 'categorical', categories: ['low', 'high'], codes: new Int32Array([0, 1, 1]), ordered: true },
      size: { kind: 'numeric', values: new Float64Array([0.1, NaN, Infinity]) },
      label: { kind: 'strings', values: ['', '中', 'a "b", c'] },
      n_cells: { kind: 'numeric', values: new BigInt64Array([1n, -2n, 2n ** 62n]) },
    },
  },
  var: { index: ['g1', 'g2'], columns: {} },
  uns: {
    method: 'nb-glm',
    alpha: 0.05,
    seed: 2n ** 40n,
    tie: true,
    left_out: null,
    legend: ['tested', 'filtered'],
    table: { kind: 'nd-array', shape: [2, 2], values: new Float32Array([1, 2, 3, NaN]) },
    nested: { inner: new Int32Array([1, 2]), empty: {} },
    rank_genes_groups: {
      params: {
        groupby: 'group',
        method: 'wilcoxon',
        reference: 'x',
        use_raw: false,
        corr_method: 'benjamini-hochberg',
      },
      names: { kind: 'rec-array', fields: { KO1: ['g1', 'g2'], KO2: ['g2', 'g1'] } },
      scores: { kind: 'rec-array', fields: { KO1: new Float32Array([3, 1]), KO2: new Float32Array([2.5, -1]) } },
      pvals: { kind: 'rec-array', fields: { KO1: new Float64Array(2), KO2: new Float64Array([1e-300, 1]) } },
      pvals_adj: { kind: 'rec-array', fields: { KO1: new Float64Array(2), KO2: new Float64Array([2e-300, 1]) } },
      logfoldchanges: { kind: 'rec-array', fields: { KO1: new Float32Array(2), KO2: new Float32Array([NaN, 0.5]) } },
    },
  },
  varm: { truth: { columns: 3, dtype: 'f32' } },
  dense: {
    layers: [
      { name: 'pvalue', dtype: 'f64' },
      { name: 'z_score', dtype: 'f32' },
      { name: 'status', dtype: 'u8' },
      { name: 'iterations', dtype: 'i32' },
    ],
  },
  csr: { chunkElements: 2, gzipLevel: 4 },
};

const COLUMNS: readonly TableColumn[] = [
  { name: 'perturbation', type: 'string' },
  { name: 'effect', type: 'f32' },
  { name: 'pvalue', type: 'f64' },
  { name: 'n_cells', type: 'i32' },
  { name: 'status', type: 'u8' },
];
const ROWS: readonly TableValues[] = [
  ['KO1', 'a "b", c', '中'],
  new Float32Array([0.5, NaN, -2.25]),
  new Float64Array([1e-300, 0.1, NaN]),
  new Int32Array([1, -2, 3]),
  new Uint8Array([0, 128, 255]),
];

describeWithPeers('files that shardex writes', (python) => {
  let folder: string;
  let seen: Record<string, unknown>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-roundtrip-'));
    const [h5ad, csv, parquet] = ['a.h5ad', 'a.csv', 'a.parquet'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const writer = await H5adFileWriter.create(h5ad, SKELETON);
    await writer.writeRows('layers/pvalue', 1, new Float64Array([1e-300, NaN, 3, 4]));
    await writer.writeRows('layers/pvalue', 0, new Float64Array([1, 2]));
    await writer.writeRows('layers/z_score', 0, new Float32Array([1, 2, 3, 4, 5, NaN]));
    await writer.writeRows('layers/status', 0, new Uint8Array([0, 1, 2, 3, 4, 255]));
    await writer.writeRows('layers/iterations', 0, new Int32Array([0, -1, 2, 3, 4, 5]));
    await writer.writeRows('varm/truth', 0, new Float32Array([1, 2, 3, 4, 5, 6]));
    const matrix = writer.csrAppender();
    await matrix.append(new Int32Array([0, 1]), new Float32Array([1, 2]), new Int32Array([2, 0]));
    await matrix.append(new Int32Array([1]), new Float32Array([7]), new Int32Array([1]));
    await writer.close();
    for (const table of [await CsvWriter.create(csv, COLUMNS), await ParquetTableWriter.create(parquet, COLUMNS, 2)]) {
      await table.append(ROWS);
      await table.close();
    }
    const script = await readFile(SCRIPT, 'utf8');
    seen = await runPeerScript(python, script, [h5ad, csv, parquet, join(folder, 'copy.h5ad')]);
  }, 120_000);
  afterAll(() => rm(folder, { recursive: true }));

  it('give anndata the tables of cells and genes', () => {
    expect(seen).toMatchObject({
      obs_index: ['KO1', 'KO2', 'KO é'],
      obs_columns: ['group', 'dose', 'size', 'label', 'n_cells'],
      obs_dtypes: ['category', 'category', 'float64', 'object', 'int64'],
      group: ['y', null, 'x'],
      group_ordered: true,
      size: [0.1, 'nan', 'inf'],
      label: ['', '中', 'a "b", c'],
      cells: ['1', '-2', String(2n ** 62n)],
      var_columns: [],
    });
  });

  it('give anndata the matrices with their types', () => {
    expect(seen).toMatchObject({
      x_type: 'csr_matrix',
      x_dtype: 'float32',
      x_canonical: true,
      x: [
        [1, 2],
        [0, 0],
        [0, 7],
      ],
      layers: {
        pvalue: [
          'float64',
          [
            [1, 2],
            [1e-300, 'nan'],
            [3, 4],
          ],
        ],
        z_score: [
          'float32',
          [
            [1, 2],
            [3, 4],
            [5, 'nan'],
          ],
        ],
        status: [
          'uint8',
          [
            [0, 1],
            [2, 3],
            [4, 255],
          ],
        ],
        iterations: [
          'int32',
          [
            [0, -1],
            [2, 3],
            [4, 5],
          ],
        ],
      },
      varm: [
        [1, 2, 3],
        [4, 5, 6],
      ],
      backed_row: [[1e-300, 'nan']],
    });
  });

  it('give anndata every kind of uns value', () => {
    expect(seen).toMatchObject({
      uns_text: 'nb-glm',
      uns_number: 0.05,
      uns_seed: 2 ** 40,
      uns_flag: 1,
      uns_list: ['tested', 'filtered'],
      uns_array: [
        [1, 2],
        [3, 'nan'],
      ],
      uns_nested: [1, 2],
      uns_has_null: false,
    });
  });

  it('give scanpy its ranking of genes', () => {
    expect(seen['ranked']).toEqual({
      names: ['g2', 'g1'],
      scores: [2.5, -1],
      logfoldchanges: ['nan', 0.5],
      pvals: [1e-300, 1],
      pvals_adj: [2e-300, 1],
    });
  });

  it('can be written again by anndata without a difference', () => {
    expect(seen['copy_equal']).toBe(true);
  });

  it('give pandas the tidy tables, from Parquet and from CSV', () => {
    expect(seen['parquet_dtypes']).toEqual(['object', 'float32', 'float64', 'int32', 'uint8']);
    expect(seen['parquet_groups']).toBe(2);
    const rows = {
      perturbation: ['KO1', 'a "b", c', '中'],
      effect: [0.5, 'nan', -2.25],
      pvalue: [1e-300, 0.1, 'nan'],
      n_cells: [1, -2, 3],
      status: [0, 128, 255],
    };
    expect(seen['parquet']).toEqual(rows);
    expect(seen['csv']).toEqual(rows);
  });
});
