// The variants of the tests whose calibration is measured, by the options that choose them.

/**
 * @typedef {object} Variant
 * @property {string} name
 * @property {string} file of the results, without extension
 * @property {readonly string[]} options
 * @property {'batch'} [needs] a column of obs that not every screen has
 */

const nb = (/** @type {string} */ name, /** @type {readonly string[]} */ ...options) => ({
  name,
  file: 'nb_glm',
  options: ['--tests', 'nb-glm', ...options],
});
const wald = (/** @type {string} */ name, /** @type {readonly string[]} */ ...options) =>
  nb(name, '--nb-test', 'wald', ...options);

/** @type {readonly Variant[]} */
export const VARIANTS = [
  nb('NB LRT (default)'),
  { ...nb('– batch as covariate', '--batch-column', 'batch'), needs: 'batch' },
  nb('– dispersion of the control', '--dispersion-scope', 'control'),
  nb('– dispersion of the comparison', '--dispersion-scope', 'per-comparison'),
  nb('– gene-wise dispersion', '--dispersion-estimator', 'gene-wise'),
  nb('– trend as dispersion', '--dispersion-estimator', 'trend'),
  nb('– dispersion by moments', '--dispersion-estimator', 'moments'),
  nb('– size factors `sparse`', '--size-factors', 'sparse'),
  nb('– size factors `poscounts`', '--size-factors', 'poscounts'),
  nb('– sceptre’s filter of 7 cells', '--min-nonzero', '7'),
  wald('NB Wald'),
  wald('– t reference', '--wald-reference', 't'),
  wald('– robust errors', '--se', 'robust'),
  wald('– robust errors, t reference', '--se', 'robust', '--wald-reference', 't'),
  wald('– min-mu 0.5', '--min-mu', '0.5'),
  wald('preset pydeseq2', '--preset', 'pydeseq2'),
  wald('preset crispyx', '--preset', 'crispyx'),
  { name: 'Wilcoxon (default)', file: 'wilcoxon', options: ['--tests', 'wilcoxon'] },
  {
    name: '– stratified by batch',
    file: 'wilcoxon',
    options: ['--tests', 'wilcoxon', '--batch-column', 'batch'],
    needs: 'batch',
  },
  { name: '– without tie correction', file: 'wilcoxon', options: ['--tests', 'wilcoxon', '--no-tie-correct'] },
  { name: 't-test (Welch)', file: 't_test', options: ['--tests', 't-test'] },
  { name: '– with sceptre’s filter', file: 't_test', options: ['--tests', 't-test', '--min-nonzero', '7'] },
];

/** A variant's name as a folder's. */
export const folderOf = (/** @type {Variant} */ { options }) => options.join('').replace(/[^a-z0-9.]+/gi, '-');
