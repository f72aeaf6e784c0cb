import { fitGammaIdentity } from './dispersion-trend.js';

/** Sums over all cells of one screen, per gene. */
export interface NormalisedMoments {
  /** Number of cells. */
  readonly nCells: number;
  /** Mean of the size factors. */
  readonly meanSizeFactor: number;
  /** Σ y/s. */
  readonly sums: ArrayLike<number>;
  /** Σ (y/s)². */
  readonly sumSquares: ArrayLike<number>;
  /** Σ y/s². */
  readonly sumsOverFactor: ArrayLike<number>;
}

const LEAST = 1e-8;
const MOST = 10;
const START: readonly [number, number] = [1, 1];
/** Least coefficients of the trend; a fit that comes this low is the last. */
const LEAST_COEFFICIENT = 1e-12;
const SETTLED_COEFFICIENT = 1e-10;
const CHANGE_TOLERANCE = 1e-6;
const ROUNDS = 20;
const RATIO_BOUNDS = { least: 1e-4, most: 15 };
const FEWEST_GENES = 3;

/**
 * Dispersions as crispyx has them by default: moments about one common mean (perturbations are not told apart), drawn halfway
 * to the trend on the logarithmic scale. For parity only: the estimate takes effects for noise and has no sampling model.
 *
 * @returns α and its trend per gene; NaN where a gene has no counts
 * @source crispyx 0.2.2, `precompute_global_dispersion` (fast mode) and `fit_dispersion_trend`
 */
export function crispyxDispersions(moments: NormalisedMoments): {
  final: Float64Array;
  trend: Float64Array;
  raw: Float64Array;
} {
  const { nCells, meanSizeFactor, sums, sumSquares, sumsOverFactor } = moments;
  const nGenes = sums.length;
  const means = new Float64Array(nGenes);
  const raw = new Float64Array(nGenes).fill(NaN);
  for (let gene = 0; gene < nGenes; gene++) {
    if (!(sums[gene] > 0)) continue;
    means[gene] = sums[gene] / nCells;
    // Σ ((y − μ)² − y)/μ² with μ = m s.
    const m = means[gene] * meanSizeFactor;
    const excess = (sumSquares[gene] - sumsOverFactor[gene]) / (m * m) - (2 * sums[gene]) / m + nCells;
    raw[gene] = Math.min(Math.max(excess / Math.max(nCells - 1, 1), LEAST), MOST);
  }
  const [a0, a1] = trendCoefficients(means, raw);
  const trend = raw.map((alpha, gene) => (Number.isNaN(alpha) ? NaN : Math.max(a0 + a1 / means[gene], LEAST)));
  const final = raw.map((alpha, gene) => Math.min(Math.sqrt(alpha * trend[gene]), MOST));
  return { final, trend, raw };
}

/** α(μ) = a₀ + a₁/μ by gamma regression; genes far from a fit are left out of all that follow it. */
function trendCoefficients(means: Float64Array, dispersions: Float64Array): readonly [number, number] {
  let genes = [...means.keys()].filter((gene) => dispersions[gene] > 0);
  let coefficients = START;
  let previous: readonly [number, number] = [0.1, 0.1];
  for (let round = 0; round < ROUNDS && genes.length >= FEWEST_GENES; round++) {
    if (!coefficients.every((a) => a > SETTLED_COEFFICIENT)) break;
    const change = coefficients.reduce((sum, a, i) => sum + Math.log(a / previous[i]) ** 2, 0);
    if (round > 0 && change < CHANGE_TOLERANCE) break;
    previous = coefficients;
    coefficients = boundedFit(
      genes.map((gene) => 1 / means[gene]),
      genes.map((gene) => dispersions[gene]),
      coefficients,
    );
    const [a0, a1] = coefficients;
    const kept = genes.filter((gene) => {
      const ratio = dispersions[gene] / (a0 + a1 / means[gene]);
      return ratio >= RATIO_BOUNDS.least && ratio < RATIO_BOUNDS.most;
    });
    if (kept.length < FEWEST_GENES) break;
    genes = kept;
  }
  return coefficients;
}

/** The gamma regression with both coefficients kept positive: where one would not be, the other alone. */
function boundedFit(
  x: readonly number[],
  y: readonly number[],
  start: readonly [number, number],
): readonly [number, number] {
  const free = fitGammaIdentity(x, y, start);
  if (free !== null && free.coefficients.every((a) => a > LEAST_COEFFICIENT)) return free.coefficients;
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const edges: (readonly [number, number])[] = [
    [LEAST_COEFFICIENT, mean(y.map((value, i) => value / x[i]))],
    [mean(y), LEAST_COEFFICIENT],
  ];
  const loss = ([a0, a1]: readonly [number, number]): number =>
    mean(y.map((value, i) => value / (a0 + a1 * x[i]) + Math.log(a0 + a1 * x[i])));
  return loss(edges[0]) <= loss(edges[1]) ? edges[0] : edges[1];
}
