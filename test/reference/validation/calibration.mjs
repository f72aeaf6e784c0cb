// Calibration of every variant on simulated screens with 50, 200 and 1,000 cells a perturbation.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { calibration as calibrationOf } from '../calibration-measures.mjs';
import { readResults, readTruth } from '../calibration-truth.mjs';
import { analysed, shardex, table } from './runs.mjs';
import { VARIANTS, folderOf } from './variants.mjs';

/** 1,600 control cells each; about as many tests in every column. */
const SCREENS = [
  { cellsEach: 50, perturbations: 60 },
  { cellsEach: 200, perturbations: 40 },
  { cellsEach: 1000, perturbations: 20 },
];
const CONTROL_CELLS = 1600;
const GENES = 3000;

/** Shares of true nulls (genes without an effect in a perturbation) with p < 0.05 and p < 0.001. */
export const calibration = async (/** @type {string} */ folder) => {
  const screens = [];
  for (const { cellsEach, perturbations } of SCREENS) {
    const cells = cellsEach * perturbations + CONTROL_CELLS;
    const path = join(folder, `null-${cellsEach}.h5ad`);
    const design = ['--cells', cells, '--genes', GENES, '--perturbations', perturbations, '--depth', 4000];
    const controls = ['--control-fraction', (CONTROL_CELLS / cells).toFixed(4), '--seed', cellsEach];
    if (!existsSync(path)) shardex('simulate', path, ...[...design, ...controls].map(String));
    screens.push({ cellsEach, path, truth: await readTruth(path) });
  }
  const rows = [];
  for (const variant of VARIANTS) {
    const figures = [];
    for (const { cellsEach, path, truth } of screens) {
      const out = analysed(join(folder, `null-${cellsEach}-${folderOf(variant)}`), path, ...variant.options);
      const { nulls } = calibrationOf(truth, await readResults(out, variant.file, ['pvalue', 'pvalue_adj']));
      figures.push(nulls);
    }
    rows.push([
      variant.name,
      ...figures.map(({ tests }) => tests.toLocaleString('en')),
      ...figures.map(({ below05 }) => below05.toFixed(3)),
      ...figures.map(({ below001 }) => below001.toFixed(4)),
    ]);
  }
  const of = (/** @type {string} */ what) => SCREENS.map(({ cellsEach }) => `${what}, ${cellsEach} cells`);
  table(['', ...of('tests'), ...of('p < 0.05'), ...of('p < 0.001')], rows);
};
