import type { JobContext } from '@shardex/shared/artifacts';
import type { FitOutputs } from './fit-outputs.js';

/** Perturbations and fits that are named; the rest are counted. */
const NAMED = 3;

/** What has to be said of the NB-GLM's fits, one sentence each. */
export function fitWarnings({ groupLabels, geneNames }: JobContext, fits: FitOutputs): readonly string[] {
  const warnings: string[] = [];
  const { count, first } = fits.notConverged;
  if (count > 0) {
    const names = first.map(([row, gene]) => `${groupLabels[fits.groups[row]]} ${geneNames[gene]}`);
    warnings.push(
      `${count} ${count === 1 ? 'fit' : 'fits'} did not converge (status not-converged): ${listed(names, count)}`,
    );
  }
  const fallbacks = (fits.trends ?? []).flatMap(({ trendKind }, row) =>
    trendKind === 'parametric' ? [] : [groupLabels[fits.groups[row]]],
  );
  if (fallbacks.length > 0) {
    warnings.push(
      `in ${fallbacks.length} of ${fits.groups.length} comparisons the dispersions do not fall with the mean as a0 + a1 / mean ` +
        `(obs column dispersion_trend_kind): ${listed(fallbacks, fallbacks.length)}`,
    );
  }
  return warnings;
}

const listed = (names: readonly string[], count: number): string =>
  `${names.slice(0, NAMED).join(', ')}${count > NAMED ? ' and others' : ''}`;
