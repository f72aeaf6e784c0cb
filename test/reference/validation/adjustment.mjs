// Adjusted p-values beside scipy's and statsmodels', on the results of whole screens.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { analysed, runPython, SCREENS, sharedFile, tableOf } from './runs.mjs';

const COMPARE = fileURLToPath(new URL('adjusted.py', import.meta.url));

/** The table of both corrections on both screens. */
export const adjustment = (/** @type {string} */ folder) => {
  const rows = SCREENS.flatMap(({ dataset, title, control }) =>
    ['bh', 'bonferroni'].flatMap((method) => {
      const out = join(folder, `${dataset}-${method}`);
      const design = ['--perturbation-column', 'perturbation', '--control-label', control];
      analysed(out, sharedFile(`data/${dataset}.h5ad`), ...design, '--correction', method);
      return JSON.parse(runPython(COMPARE, out, method, title));
    }),
  );
  tableOf(rows);
};
