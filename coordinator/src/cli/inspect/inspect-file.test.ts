import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { H5adFileWriter } from '@shardex/shared/h5ad';
import { describeWithShared } from '../../../../test/support/shared-data.js';
import { inspectFile } from './inspect-file.js';
import { renderInspection } from './render-inspection.js';

const folder = mkdtempSync(join(tmpdir(), 'shardex-inspect-'));
const damaged = join(folder, 'damaged.h5ad');

/** Two dense matrices, a repeated gene, an empty cell, a cell without a label, a perturbation with one cell. */
beforeAll(async () => {
  const writer = await H5adFileWriter.create(damaged, {
    obs: {
      index: ['c0', 'c1', 'c2', 'c3', 'c4', 'c5'],
      columns: {
        perturbation: { kind: 'categorical', categories: ['NT', 'A', 'B'], codes: Int8Array.of(0, 0, 1, 1, 2, -1) },
        depth: { kind: 'numeric', values: Float64Array.of(1, 2, 3, 4, 5, 6) },
      },
    },
    var: { index: ['g0', 'g1', 'g0'], columns: {} },
    uns: {},
    dense: { X: 'f32', layers: [{ name: 'centred', dtype: 'f64' }] },
  });
  await writer.writeRows('X', 0, Float32Array.of(1, 0, 2, 0, 0, 0, 3, 1, 1, 0, 2, 0, 5, 0, 1, 1, 1, 1));
  await writer.writeRows(
    'layers/centred',
    0,
    Float64Array.from({ length: 18 }, (_, at) => at - 8.5),
  );
  await writer.close();
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('inspecting a file', () => {
  it('names the problems it finds', async () => {
    const inspection = await inspectFile(damaged);
    expect(inspection.problems).toEqual([
      '1 gene names occur more than once, "g0" for one',
      '1 of 6 sampled cells of X is empty',
      'layers/centred has negative values',
      '1 cell of 6 has no label in "perturbation"',
      '1 perturbation in "perturbation" has only 1 cell',
    ]);
    expect(inspection.design).toEqual({
      perturbationColumn: 'perturbation',
      controlLabel: 'NT',
      controlCells: 2,
      perturbations: 2,
      medianCells: 1.5,
    });
    expect(inspection.matrices.map(({ path, verdict }) => [path, verdict?.scale])).toEqual([
      ['X', 'counts'],
      ['layers/centred', 'other'],
    ]);
  });

  it('shows everything on a terminal of plain text', async () => {
    const text = renderInspection(await inspectFile(damaged), { hasColour: false });
    expect(text).not.toContain('\u001b');
    expect(text).toContain('MATRIX          STORAGE');
    expect(text).toContain('perturbation column  perturbation  (2 perturbations, median 1.5 cells)');
    expect(text).toContain('- layers/centred has negative values');
  });
});

describeWithShared('inspecting real screens', (path) => {
  it.each([
    ['data/papalexi_thp1_eccite.h5ad', 16_192, 299, ['perturbation', 'NT', 1923, 25]],
    ['data/datlinger_jurkat_scifi.h5ad', 7_500, 2_000, ['perturbation', 'control', 200, 20]],
    ['data/ifnb_pbmc_kang.h5ad', 2_000, 9_015, ['condition', 'ctrl', 1000, 1]],
  ])('%s', async (file, cells, genes, design) => {
    const inspection = await inspectFile(path(file));
    expect([inspection.cells, inspection.genes]).toEqual([cells, genes]);
    const found = inspection.design;
    expect([found?.perturbationColumn, found?.controlLabel, found?.controlCells, found?.perturbations]).toEqual(design);
    expect(inspection.matrices[0]).toMatchObject({ kind: 'csr', dtype: 'float32', compression: ['gzip'] });
    expect(inspection.matrices[0]?.verdict?.scale).toBe('counts');
  });
});
