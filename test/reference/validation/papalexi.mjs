// The Papalexi screen beside scanpy.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { readResults } from '../calibration-truth.mjs';
import { analysed, largest, median, sharedFile, table } from './runs.mjs';

/** Tables of scanpy on the Papalexi screen. */
export const papalexi = async (/** @type {string} */ folder) => {
  const out = analysed(
    join(folder, 'papalexi'),
    sharedFile('data/papalexi_thp1_eccite.h5ad'),
    ...['--perturbation-column', 'perturbation', '--control-label', 'NT'],
  );
  const rows = [];
  for (const [name, file, reference] of [
    ['Wilcoxon', 'wilcoxon', 'wilcoxon'],
    ['t-test', 't_test', 't-test'],
  ]) {
    const results = await readResults(out, file, ['z_score', 'log10_pvalue', 'logfoldchanges']);
    const text = gunzipSync(readFileSync(sharedFile(`reference/papalexi_thp1_eccite/scanpy_${reference}.csv.gz`)));
    const [header, ...lines] = text
      .toString('utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(','));
    const at = new Map(
      results.perturbations.flatMap((label, row) =>
        results.genes.map((gene, column) => [`${label} ${gene}`, row * results.genes.length + column]),
      ),
    );
    const differences = { score: [], log10P: [] };
    for (const line of lines) {
      const of = (column) => line[header.indexOf(column)];
      const place = at.get(`${of('group')} ${of('names')}`);
      differences.score.push(Math.abs(results.layers.get('z_score')[place] - Number(of('scores'))));
      const p = Number(of('pvals'));
      if (p > 1e-300) differences.log10P.push(Math.abs(results.layers.get('log10_pvalue')[place] - Math.log10(p)));
    }
    const { score, log10P } = differences;
    const figures = [largest(score), median(score), largest(log10P), median(log10P)];
    rows.push([name, String(score.length), ...figures.map((figure) => figure.toExponential(1))]);
  }
  table(['', 'pairs', 'score: largest difference', 'median', 'log10 p: largest difference', 'median'], rows);
};
