// A simulated screen whose truth is known.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  MEAN_BINS,
  calibration,
  dispersionError,
  foldChangeAgreement,
  knockDowns,
  powerAtFalseShare,
} from '../calibration-measures.mjs';
import { readGeneColumn, readResults, readTruth } from '../calibration-truth.mjs';
import { analysed, peers, python, shardex, table } from './runs.mjs';

/** Calibration, power and effects on a screen with known truth. */
export const simulated = async (/** @type {string} */ folder) => {
  const screen = join(folder, 'screen.h5ad');
  if (!existsSync(screen))
    shardex('simulate', screen, '--cells', '20000', '--genes', '6000', '--perturbations', '60', '--seed', '1');
  const truth = await readTruth(screen);
  const all = analysed(join(folder, 'all'), screen);
  const wald = analysed(join(folder, 'wald'), screen, '--tests', 'nb-glm', '--nb-test', 'wald');
  const methods = [
    { name: 'NB LRT', out: all, file: 'nb_glm', effect: 'X' },
    { name: 'NB Wald', out: wald, file: 'nb_glm', effect: 'X' },
    { name: 'Wilcoxon', out: all, file: 'wilcoxon', effect: 'logfoldchanges' },
    { name: 't-test', out: all, file: 't_test', effect: 'logfoldchanges' },
  ];
  const crispyx = join(folder, 'crispyx_nb_glm.h5ad');
  if (!existsSync(crispyx) && python !== null) peers('crispyx', screen, crispyx, 'non-targeting');
  if (existsSync(crispyx)) methods.push({ name: 'crispyx NB', out: folder, file: 'crispyx_nb_glm', effect: 'X' });
  const columns = [];
  for (const { name, out, file, effect } of methods) {
    const results = await readResults(out, file, [...new Set(['pvalue', 'pvalue_adj', 'z_score', effect])]);
    const measured = calibration(truth, results);
    const fold = foldChangeAgreement(truth, results, effect);
    const dispersion = effect === 'X' ? await readGeneColumn(join(out, `${file}.h5ad`), 'dispersion') : null;
    const targets = knockDowns(results);
    const bins = (key, digits) => measured.nullsByMean.map((bin) => bin[key].toFixed(digits));
    columns.push([
      name,
      measured.tested.toLocaleString('en'),
      measured.nulls.below05.toFixed(3),
      ...bins('below05', 3),
      measured.nulls.below001.toFixed(4),
      ...bins('below001', 4),
      measured.found.toFixed(3),
      measured.foundOfTested.toFixed(3),
      measured.falseShare.toFixed(3),
      powerAtFalseShare(truth, results, 0.05).toFixed(3),
      `${targets.found} of ${targets.targets}`,
      fold.slope.toFixed(3),
      fold.rmse.toFixed(3),
      dispersion === null ? '' : dispersionError(truth, dispersion).toFixed(3),
    ]);
  }
  const binNames = MEAN_BINS.slice(1).map((bound, i) =>
    bound === Infinity ? `mean ≥ ${MEAN_BINS[i]}` : `mean ${MEAN_BINS[i]} to ${bound}`,
  );
  const names = [
    '',
    'pairs tested',
    'true nulls with p < 0.05',
    ...binNames.map((bin) => `– ${bin}`),
    'true nulls with p < 0.001',
    ...binNames.map((bin) => `– ${bin}`),
    'true effects found at BH 5%, of all',
    '– of those the method tested',
    'false share of the findings',
    'true effects in the list with a false share of 5%',
    'knocked-down targets seen',
    'slope of estimated on true LFC',
    'RMSE of log2 fold change',
    'RMSE of log dispersion',
  ];
  const rows = names.map((name, i) => [name, ...columns.map((column) => column[i])]);
  table(rows[0], rows.slice(1));
};
