import { QrDecomposition, type Matrix } from 'ml-matrix';
import { FlatMatrix } from './flat-matrix.js';
import { highestMaximum } from './highest-maximum.js';

/** How the dispersion depends on the mean. */
export interface DispersionTrend {
  /**
   * `parametric`: α(μ) = a₀ + a₁/μ. `mean`: one trimmed mean for all genes, where the parametric fit fails. `poisson`: the
   * least dispersion for all genes, where none has a larger one.
   */
  readonly kind: 'parametric' | 'mean' | 'poisson';
  /** [a₀, a₁]; of the other kinds, [value, 0]. */
  readonly coefficients: readonly [number, number];
}

/** Genes at the lower bound of the search carry no information about the trend: 100 × 1e-8. */
const LEAST_FITTED = 1e-6;
/** The trimmed mean takes genes above 10 × 1e-8. */
const LEAST_AVERAGED = 1e-7;
const TRIM = 0.001;
const START: Line = [0.1, 1];
/** PyDESeq2: a coefficient no larger than this has failed. */
const PYDESEQ2_LEAST = 1e-10;
/** Range of log a₁/a₀ that is searched, and its points. */
const RATIO_RANGE = 30;
const RATIO_POINTS = 61;
/** Genes whose ratio to the trend lies outside are left out of the next fit. */
const RATIO_BOUNDS = { least: 1e-4, most: 15 };
const COEFFICIENT_TOLERANCE = 1e-6;
const OUTER_LIMIT = 10;
/** Limits of R's glm.fit. */
const DEVIANCE_TOLERANCE = 1e-8;
const INNER_LIMIT = 25;

/** Value of a trend at a mean count. */
export function trendAt(trend: DispersionTrend, mean: number): number {
  const [a0, a1] = trend.coefficients;
  return trend.kind === 'parametric' ? a0 + a1 / mean : a0;
}

/** Which genes a trend is fitted to, and from where; see `fitDispersionTrend`. */
export type TrendRule = 'deseq2' | 'pydeseq2';

/**
 * Fits α(μ) = a₀ + a₁/μ to genewise dispersions by a gamma GLM with identity link, leaving out genes far from the fit
 * and fitting again until the coefficients stand still; falls back to the trimmed mean when that fails.
 *
 * `deseq2`: from the genes above 1e-6, every fit chooses anew which are near, and starts from the last. `pydeseq2`: from all
 * genes, one that was left out stays out, and a line that is not steep or not level has failed.
 *
 * @param means - base mean of each gene, positive where it is to count
 * @param dispersions - genewise estimates; NaN where there is none
 * @source DESeq2 1.38.3, parametricDispersionFit and estimateDispersionsFit(fitType = "mean"); PyDESeq2 0.5.4
 */
export function fitDispersionTrend(
  means: ArrayLike<number>,
  dispersions: ArrayLike<number>,
  rule: TrendRule = 'deseq2',
): DispersionTrend {
  const genes: number[] = [];
  for (let gene = 0; gene < dispersions.length; gene++) {
    if (dispersions[gene] > (rule === 'deseq2' ? LEAST_FITTED : 0) && means[gene] > 0) genes.push(gene);
  }
  const coefficients =
    rule === 'deseq2' ? fitNearGenes(genes, means, dispersions) : fitFewerGenes(genes, means, dispersions);
  return coefficients === null
    ? { kind: 'mean', coefficients: [trimmedMean(dispersions), 0] }
    : { kind: 'parametric', coefficients };
}

type Line = readonly [number, number];

/** DESeq2's iteration; null where it fails. */
function fitNearGenes(genes: readonly number[], means: ArrayLike<number>, dispersions: ArrayLike<number>): Line | null {
  let coefficients = START;
  for (let iteration = 0; iteration <= OUTER_LIMIT; iteration++) {
    const [a0, a1] = coefficients;
    const good = genes.filter((gene) => {
      const ratio = dispersions[gene] / (a0 + a1 / means[gene]);
      return ratio > RATIO_BOUNDS.least && ratio < RATIO_BOUNDS.most;
    });
    const fit = fitGammaIdentity(
      good.map((gene) => 1 / means[gene]),
      good.map((gene) => dispersions[gene]),
      coefficients,
    );
    if (fit === null || !fit.coefficients.every((a) => a > 0)) return null;
    const change = squaredChange(fit.coefficients, coefficients);
    coefficients = fit.coefficients;
    if (change < COEFFICIENT_TOLERANCE && fit.converged) return coefficients;
  }
  return null;
}

/** PyDESeq2's iteration, which ends because genes only leave; null where it fails. */
function fitFewerGenes(
  genes: readonly number[],
  means: ArrayLike<number>,
  dispersions: ArrayLike<number>,
): Line | null {
  let near = genes;
  let coefficients: Line = [1, 1];
  for (;;) {
    const fit = fitGammaLikelihood(
      near.map((gene) => 1 / means[gene]),
      near.map((gene) => dispersions[gene]),
    );
    if (fit === null) return null;
    if (squaredChange(fit, coefficients) < COEFFICIENT_TOLERANCE) return fit;
    coefficients = fit;
    const [a0, a1] = fit;
    near = near.filter((gene) => {
      const ratio = dispersions[gene] / (a0 + a1 / means[gene]);
      return ratio >= RATIO_BOUNDS.least && ratio < RATIO_BOUNDS.most;
    });
  }
}

/**
 * The positive line a₀ + a₁ x = c (1 + ρ x) with the highest gamma likelihood −Σ [y/μ + log μ]; null where it has a₀ or a₁
 * at 0. For a given ρ the best c is the mean of y/(1 + ρ x), which leaves a search for log ρ.
 */
function fitGammaLikelihood(x: readonly number[], y: readonly number[]): Line | null {
  if (x.length < 2) return null;
  const slope = (logRho: number): number => {
    const rho = Math.exp(logRho);
    let [scaled, weighted, logs] = [0, 0, 0];
    for (let i = 0; i < x.length; i++) {
      const v = 1 + rho * x[i];
      scaled += y[i] / v;
      weighted += (y[i] * rho * x[i]) / (v * v);
      logs += (rho * x[i]) / v;
    }
    return weighted / scaled - logs / x.length;
  };
  const points = Array.from(
    { length: RATIO_POINTS },
    (_, i) => -RATIO_RANGE + (2 * RATIO_RANGE * i) / (RATIO_POINTS - 1),
  );
  const best = highestMaximum({ points, slopes: points.map(slope), near: () => slope });
  if (Math.abs(best) === RATIO_RANGE) return null;
  const rho = Math.exp(best);
  const a0 = x.reduce((sum, xi, i) => sum + y[i] / (1 + rho * xi), 0) / x.length;
  return a0 > PYDESEQ2_LEAST && a0 * rho > PYDESEQ2_LEAST ? [a0, a0 * rho] : null;
}

/** Σ log²(a/b) over the two coefficients. */
const squaredChange = (a: Line, b: Line): number => Math.log(a[0] / b[0]) ** 2 + Math.log(a[1] / b[1]) ** 2;

/** Iteratively reweighted least squares for E y = a₀ + a₁ x, Var y ∝ (E y)², as R's glm.fit does it; null where it fails. */
export function fitGammaIdentity(
  x: readonly number[],
  y: readonly number[],
  start: readonly [number, number],
): { coefficients: readonly [number, number]; converged: boolean } | null {
  if (x.length < 2) return null;
  const [design, response] = [2, 1].map((columns) => new FlatMatrix(new Float64Array(x.length * columns), x.length));
  let coefficients = start;
  let deviance = gammaDeviance(x, y, coefficients);
  for (let iteration = 0; iteration < INNER_LIMIT; iteration++) {
    let next = weightedLine(x, y, coefficients, design, response);
    if (next === null) return null;
    let nextDeviance = gammaDeviance(x, y, next);
    // Halve the step while it leads to a mean that is not positive.
    for (let halving = 0; !Number.isFinite(nextDeviance); halving++) {
      if (halving === INNER_LIMIT) return null;
      next = [(next[0] + coefficients[0]) / 2, (next[1] + coefficients[1]) / 2];
      nextDeviance = gammaDeviance(x, y, next);
    }
    const settled = Math.abs(nextDeviance - deviance) / (Math.abs(nextDeviance) + 0.1) < DEVIANCE_TOLERANCE;
    [coefficients, deviance] = [next, nextDeviance];
    if (settled) return { coefficients, converged: true };
  }
  return { coefficients, converged: false };
}

/** −2 Σ [log(y/μ) − (y − μ)/μ]; NaN when some μ is not positive. */
function gammaDeviance(x: readonly number[], y: readonly number[], [a0, a1]: readonly [number, number]): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    const mu = a0 + a1 * x[i];
    if (!(mu > 0)) return NaN;
    sum -= 2 * (Math.log(y[i] / mu) - (y[i] - mu) / mu);
  }
  return sum;
}

/**
 * Weighted least squares of y on [1, x] with weights 1/μ², by the QR decomposition of the weighted design, as in R.
 *
 * @param design - room for n × 2
 * @param response - room for n × 1
 */
function weightedLine(
  x: readonly number[],
  y: readonly number[],
  [a0, a1]: readonly [number, number],
  design: FlatMatrix,
  response: FlatMatrix,
): readonly [number, number] | null {
  for (let i = 0; i < x.length; i++) {
    const rootWeight = 1 / (a0 + a1 * x[i]);
    design.set(i, 0, rootWeight);
    design.set(i, 1, rootWeight * x[i]);
    response.set(i, 0, rootWeight * y[i]);
  }
  const decomposition = new QrDecomposition(design);
  if (!decomposition.isFullRank()) return null;
  // Typed too narrowly: it takes any matrix.
  const solution = decomposition.solve(response as unknown as Matrix);
  return [solution.get(0, 0), solution.get(1, 0)];
}

/** R's mean(x, trim = 0.001) of the dispersions above 1e-7. */
function trimmedMean(dispersions: ArrayLike<number>): number {
  const sorted = Array.from(dispersions)
    .filter((dispersion) => dispersion > LEAST_AVERAGED)
    .sort((a, b) => a - b);
  const cut = Math.floor(TRIM * sorted.length);
  const kept = sorted.slice(cut, sorted.length - cut);
  return kept.length === 0 ? 0 : kept.reduce((sum, dispersion) => sum + dispersion, 0) / kept.length;
}
