// Options set as a peer has them, beside that peer's results: PyDESeq2 from the reference tables, crispyx run here.
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { analysed, peers, runPython, say, SCREENS, sharedFile, tableOf } from './runs.mjs';

const COMPARE = fileURLToPath(new URL('parity.py', import.meta.url));

const PYDESEQ2 = [
  ...['--tests', 'nb-glm', '--nb-test', 'wald', '--min-mu', '0.5', '--size-factors', 'pydeseq2-poscounts'],
  ...['--size-factor-scope', 'per-comparison', '--dispersion-scope', 'per-comparison'],
];

/** @param {readonly string[]} args */
const compared = (...args) => JSON.parse(runPython(COMPARE, ...args));

export const parity = async (/** @type {string} */ folder) => {
  const rows = { pydeseq2: [], crispyxNb: [], ranks: [], welch: [] };
  for (const { dataset, title, control, covariate } of SCREENS) {
    const source = sharedFile(`data/${dataset}.h5ad`);
    const reference = dirname(sharedFile(`reference/${dataset}/pydeseq2_meta.json`));
    const design = ['--perturbation-column', 'perturbation', '--control-label', control];
    const tested = readdirSync(reference)
      .map((file) => /^pydeseq2_(.+)_poscounts\.csv\.gz$/.exec(basename(file))?.[1])
      .filter((name) => name !== undefined);
    const named = ['--perturbations', tested.join(',')];
    const at = (/** @type {string} */ name) => join(folder, `${dataset}-${name}`);

    const plain = analysed(at('pydeseq2'), source, ...design, ...named, ...PYDESEQ2);
    const adjusted = analysed(
      at('pydeseq2-covariate'),
      source,
      ...design,
      ...named,
      ...PYDESEQ2,
      '--covariates',
      covariate,
    );
    rows.pydeseq2.push(...compared('pydeseq2', plain, reference, title));
    rows.pydeseq2.push(...compared('pydeseq2', adjusted, reference, title, covariate));

    const nb = analysed(at('crispyx'), source, ...design, '--preset', 'crispyx', '--tests', 'nb-glm');
    rows.crispyxNb.push(compared('crispyx-nb', nb, join(reference, 'crispyx_nb_glm.h5ad'), title));

    const normalised = at('normalised.h5ad');
    if (!existsSync(normalised)) peers('normalise', source, normalised);
    const inDouble = at('crispyx_t_test_double.h5ad');
    if (!existsSync(at('crispyx_wilcoxon_batch.h5ad'))) peers('ranks', normalised, at('crispyx'), control, covariate);
    const given = [...design, '--input-scale', 'log1p', '--preset', 'crispyx'];
    const ranks = analysed(at('ranks'), normalised, ...given, '--tests', 'wilcoxon,t-test');
    const means = [join(ranks, 't_test.h5ad'), at('crispyx_t_test.h5ad'), inDouble];
    rows.welch.push(compared('welch', ...means, normalised, control, title));
    const unit = ['--batch-column', covariate, '--batch-weights', 'unit'];
    const strata = analysed(at('strata'), normalised, ...given, '--tests', 'wilcoxon', ...unit);
    for (const [test, ours, theirs] of [
      ['Wilcoxon', join(ranks, 'wilcoxon.h5ad'), at('crispyx_wilcoxon.h5ad')],
      ['t-test', join(ranks, 't_test.h5ad'), at('crispyx_t_test.h5ad')],
      ['t-test, of the same values as doubles', join(ranks, 't_test.h5ad'), inDouble],
      ['Wilcoxon, strata of weight 1', join(strata, 'wilcoxon.h5ad'), at('crispyx_wilcoxon_batch.h5ad')],
    ]) {
      rows.ranks.push(compared('ranks', ours, theirs, `${title}, ${test}`));
    }
  }
  say('PyDESeq2\n');
  tableOf(rows.pydeseq2);
  say('crispyx, NB-GLM\n');
  tableOf(rows.crispyxNb);
  say('crispyx, ranks and means\n');
  tableOf(rows.ranks);
  say('The t statistic in double precision, relative to at least 1\n');
  tableOf(rows.welch);
};
