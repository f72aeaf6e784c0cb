// How well p-values and effects agree with a known truth: plain counting, one pass over (perturbation, gene) pairs.

/** Bounds of the bins of mean count that the tables use. */
export const MEAN_BINS = [0, 0.02, 0.05, 0.2, 1, Infinity];

/**
 * @typedef {import('./calibration-truth.mjs').Truth} Truth
 * @typedef {import('./calibration-truth.mjs').Results} Results
 */

/**
 * @typedef {object} Share
 * @property {number} tests true nulls with a p-value
 * @property {number} below05 share of them with p < 0.05
 * @property {number} below001 share of them with p < 0.001
 */

/**
 * @typedef {object} Calibration
 * @property {Share} nulls
 * @property {Share[]} nullsByMean in the bins of `MEAN_BINS`
 * @property {number} tested pairs with a p-value
 * @property {number} effects pairs with a true effect and a p-value
 * @property {number} found share of all true effects (tested or not) with an adjusted p-value of at most 0.05
 * @property {number} foundOfTested the same of those with a p-value
 * @property {number} falseShare share of the pairs with an adjusted p-value of at most 0.05 that are no true effect
 * @property {number} discoveries
 */

/**
 * Calibration and power against the truth.
 *
 * @param {Truth} truth
 * @param {Results} results with the layers `pvalue` and `pvalue_adj`
 * @returns {Calibration}
 */
export function calibration(truth, results) {
  const p = layerOf(results, 'pvalue');
  const q = layerOf(results, 'pvalue_adj');
  const bins = MEAN_BINS.slice(1).map(() => ({ tests: 0, below05: 0, below001: 0 }));
  const sums = { tested: 0, effects: 0, testedEffects: 0, found: 0, discoveries: 0, falseDiscoveries: 0 };
  for (const [row, perturbation] of results.perturbations.entries()) {
    const effect = truth.logFoldChange(perturbation);
    for (let gene = 0; gene < effect.length; gene++) {
      const at = row * effect.length + gene;
      const isTested = Number.isFinite(p[at]);
      const isFound = isTested && q[at] <= 0.05;
      if (isTested) sums.tested++;
      if (isFound) sums.discoveries++;
      if (effect[gene] !== 0) {
        sums.effects++;
        if (isTested) sums.testedEffects++;
        if (isFound) sums.found++;
        continue;
      }
      if (isFound) sums.falseDiscoveries++;
      if (!isTested) continue;
      const bin = bins[MEAN_BINS.findIndex((bound) => truth.mean[gene] < bound) - 1];
      bin.tests++;
      if (p[at] < 0.05) bin.below05++;
      if (p[at] < 0.001) bin.below001++;
    }
  }
  const shareOf = ({ tests, below05, below001 }) => ({ tests, below05: below05 / tests, below001: below001 / tests });
  const total = (key) => bins.reduce((sum, bin) => sum + bin[key], 0);
  return {
    nulls: shareOf({ tests: total('tests'), below05: total('below05'), below001: total('below001') }),
    nullsByMean: bins.map(shareOf),
    tested: sums.tested,
    effects: sums.testedEffects,
    found: sums.found / sums.effects,
    foundOfTested: sums.found / sums.testedEffects,
    falseShare: sums.falseDiscoveries / Math.max(sums.discoveries, 1),
    discoveries: sums.discoveries,
  };
}

/**
 * Share of all true effects in the longest list, by ascending p-value, of which at most `mostFalse` are no effect: power apart
 * from calibration, as the p-values serve for their order alone.
 *
 * @param {Truth} truth
 * @param {Results} results with the layer `pvalue`
 * @param {number} mostFalse
 */
export function powerAtFalseShare(truth, results, mostFalse) {
  const p = layerOf(results, 'pvalue');
  const isEffect = new Uint8Array(p.length);
  let effects = 0;
  for (const [row, perturbation] of results.perturbations.entries()) {
    for (const [gene, effect] of truth.logFoldChange(perturbation).entries()) {
      if (effect === 0) continue;
      isEffect[row * results.genes.length + gene] = 1;
      effects++;
    }
  }
  const order = [...p.keys()].filter((at) => Number.isFinite(p[at])).sort((a, b) => p[a] - p[b]);
  let [found, most] = [0, 0];
  for (const [rank, at] of order.entries()) {
    found += isEffect[at];
    if (rank + 1 - found <= mostFalse * (rank + 1)) most = found;
  }
  return most / effects;
}

/** Effects below this (natural logarithm) and genes below this mean count say little about a slope. */
const LEAST_EFFECT = 0.3;
const LEAST_MEAN = 0.3;

/**
 * Slope and error of estimated log2 fold changes on the true ones, over true effects beyond 0.3 in genes above a mean of 0.3.
 *
 * @param {Truth} truth
 * @param {Results} results with log2 fold changes in `layer`
 * @param {string} layer
 * @returns {{ pairs: number, slope: number, rmse: number }}
 */
export function foldChangeAgreement(truth, results, layer) {
  const values = layerOf(results, layer);
  const p = layerOf(results, 'pvalue');
  let [n, sumX, sumY, sumXX, sumXY, sumSquares] = [0, 0, 0, 0, 0, 0];
  for (const [row, perturbation] of results.perturbations.entries()) {
    const effect = truth.logFoldChange(perturbation);
    for (let gene = 0; gene < effect.length; gene++) {
      const at = row * effect.length + gene;
      if (!(Math.abs(effect[gene]) > LEAST_EFFECT && truth.mean[gene] > LEAST_MEAN && Number.isFinite(p[at]))) continue;
      const [x, y] = [effect[gene] / Math.LN2, values[at]];
      n++;
      sumX += x;
      sumY += y;
      sumXX += x * x;
      sumXY += x * y;
      sumSquares += (y - x) ** 2;
    }
  }
  return {
    pairs: n,
    slope: (sumXY - (sumX * sumY) / n) / (sumXX - (sumX * sumX) / n),
    rmse: Math.sqrt(sumSquares / n),
  };
}

/** Genes below this mean count hardly know their dispersion. */
const LEAST_DISPERSION_MEAN = 0.05;

/**
 * Root mean square error of log dispersion, over genes with a mean above 0.05.
 *
 * @param {Truth} truth
 * @param {ArrayLike<number>} dispersion
 */
export function dispersionError(truth, dispersion) {
  const errors = [];
  for (let gene = 0; gene < truth.mean.length; gene++) {
    const error = Math.log(dispersion[gene] / truth.dispersion[gene]);
    if (truth.mean[gene] > LEAST_DISPERSION_MEAN && Number.isFinite(error)) errors.push(error);
  }
  return Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
}

/**
 * How many perturbations are seen in the very gene that they target: lower, at an adjusted p-value of at most 0.05.
 *
 * @param {Results} results with `pvalue_adj` and `z_score`; a perturbation is named by its target, as `shardex simulate` does
 * @returns {{ targets: number, found: number, missed: string[] }}
 */
export function knockDowns(results) {
  const [q, z] = [layerOf(results, 'pvalue_adj'), layerOf(results, 'z_score')];
  const geneOf = new Map(results.genes.map((gene, i) => [gene, i]));
  const missed = [];
  let targets = 0;
  for (const [row, perturbation] of results.perturbations.entries()) {
    const gene = geneOf.get(perturbation);
    if (gene === undefined) continue;
    targets++;
    const at = row * results.genes.length + gene;
    if (!(q[at] <= 0.05 && z[at] < 0)) missed.push(perturbation);
  }
  return { targets, found: targets - missed.length, missed };
}

/**
 * @param {Results} results
 * @param {string} name
 */
function layerOf(results, name) {
  const layer = results.layers.get(name);
  if (layer === undefined) throw new Error(`the layer ${name} was not read`);
  return layer;
}
