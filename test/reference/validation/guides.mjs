// Each non-targeting guide of the Papalexi screen against the other non-targeting cells: real cells, no effect to be found.
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readResults } from '../calibration-truth.mjs';
import { analysed, median, peers, share, sharedFile, table } from './runs.mjs';
import { VARIANTS, folderOf } from './variants.mjs';

/** The median of χ² with one degree of freedom. */
const NULL_MEDIAN = 0.4549364;

export const guides = async (/** @type {string} */ folder) => {
  const inputs = join(folder, 'guides');
  mkdirSync(inputs, { recursive: true });
  if (readdirSync(inputs).length === 0) peers('guides', sharedFile('data/papalexi_thp1_eccite.h5ad'), inputs);
  const names = readdirSync(inputs)
    .filter((file) => file.endsWith('.h5ad'))
    .map((file) => file.replace('.h5ad', ''));
  const rows = [];
  for (const variant of VARIANTS) {
    const [p, z] = [[], []];
    let hits = 0;
    for (const name of names) {
      const design = ['--perturbation-column', 'perturbation', '--control-label', 'others', '--workers', '1'];
      const out = analysed(
        join(folder, 'guide-results', `${name}-${folderOf(variant)}`),
        join(inputs, `${name}.h5ad`),
        ...design,
        ...variant.options,
      );
      const { layers } = await readResults(out, variant.file, ['pvalue', 'pvalue_adj', 'z_score']);
      const [pValues, adjusted, scores] = ['pvalue', 'pvalue_adj', 'z_score'].map((layer) => layers.get(layer));
      for (let at = 0; at < pValues.length; at++) {
        if (!Number.isFinite(pValues[at])) continue;
        p.push(pValues[at]);
        z.push(scores[at]);
        if (adjusted[at] <= 0.05) hits++;
      }
    }
    const below = (level, digits) => `${(100 * share(p, (value) => value < level)).toFixed(digits)}%`;
    const inflation = median(z.map((value) => value * value)) / NULL_MEDIAN;
    rows.push([
      variant.name,
      p.length.toLocaleString('en'),
      below(0.05, 1),
      below(0.01, 2),
      below(0.001, 2),
      inflation.toFixed(3),
      String(hits),
    ]);
  }
  table(['', 'tests', 'p < 0.05', 'p < 0.01', 'p < 0.001', 'λ', 'at BH 5% within a guide'], rows);
};
