import jstat from 'jstat';
import { fitDispersionTrend, trendAt, type DispersionTrend, type TrendRule } from './dispersion-trend.js';

/** Least dispersion of the search, and least of its upper bound, max(10, cells), as DESeq2 has them. */
export const LEAST_DISPERSION = 1e-8;
export const LEAST_UPPER_BOUND = 10;
/** Genewise estimates from here on enter the prior's variance (DESeq2: 100 · minDisp). */
const LEAST_INFORMATIVE = 1e-6;
/** DESeq2: the prior variance is at least this. */
const LEAST_PRIOR_VARIANCE = 0.25;
/** DESeq2: genes this many standard deviations above the trend keep their own estimate. */
const OUTLIER_DEVIATIONS = 2;
/** The median absolute deviation times this estimates a normal standard deviation. */
const MAD_TO_SD = 1.4826;

/** Stands in where no dispersion can be told from none. */
const POISSON_TREND: DispersionTrend = { kind: 'poisson', coefficients: [LEAST_DISPERSION, 0] };

/** What the genewise estimates together say of every gene's dispersion. */
export interface DispersionPrior {
  readonly trendKind: DispersionTrend['kind'];
  /** [a₀, a₁]. */
  readonly trendCoefficients: readonly [number, number];
  /** The trend at each gene's base mean. */
  readonly trend: Float64Array;
  /** Variance of log α about the trend, without sampling error. */
  readonly priorVariance: number;
  /** Genes whose log α lies further above the trend keep their own estimate. */
  readonly outlierDistance: number;
}

/**
 * The trend of genewise dispersions, the variance about it, and the distance beyond which a gene is an outlier.
 *
 * Where no gene varies more than Poisson noise there is nothing to fit: the trend is the least dispersion then. A gene
 * without counts has no base mean; the trend at the least one that occurs stands in.
 *
 * @param means - base mean of each gene
 * @param genewise - estimates; NaN where there is none
 * @param residualDegrees - cells − coefficients
 * @source Love, Huber & Anders 2014, Genome Biology 15:550, methods; DESeq2 1.38.3
 */
export function fitDispersionPrior(
  means: ArrayLike<number>,
  genewise: Float64Array,
  residualDegrees: number,
  rule: TrendRule = 'deseq2',
): DispersionPrior {
  const found = fitDispersionTrend(means, genewise, rule);
  const fitted: DispersionTrend = found.coefficients[0] > 0 ? found : POISSON_TREND;
  const leastMean = smallestPositive(means);
  const trend = genewise.map((_, gene) => trendAt(fitted, Math.max(means[gene], leastMean)));
  const variance = residualVariance(genewise, trend);
  const sampling = residualDegrees > 0 ? trigamma(residualDegrees / 2) : 0;
  return {
    trendKind: fitted.kind,
    trendCoefficients: fitted.coefficients,
    trend,
    priorVariance: Math.max(variance - sampling, LEAST_PRIOR_VARIANCE),
    outlierDistance: OUTLIER_DEVIATIONS * Math.sqrt(variance),
  };
}

/** (1.4826 · MAD)² of log genewise − log trend. */
function residualVariance(genewise: Float64Array, trend: Float64Array): number {
  const residuals: number[] = [];
  for (let gene = 0; gene < genewise.length; gene++) {
    if (genewise[gene] >= LEAST_INFORMATIVE) residuals.push(Math.log(genewise[gene] / trend[gene]));
  }
  if (residuals.length === 0) return 0;
  const centre = jstat.median(residuals);
  return (MAD_TO_SD * jstat.median(residuals.map((residual) => Math.abs(residual - centre)))) ** 2;
}

function smallestPositive(values: ArrayLike<number>): number {
  let least = Infinity;
  for (let i = 0; i < values.length; i++) if (values[i] > 0 && values[i] < least) least = values[i];
  return least;
}

/** ψ′(x) for x > 0: upward recurrence to 20, then the asymptotic series (Abramowitz & Stegun 6.4.6, 6.4.12). */
export function trigamma(x: number): number {
  let shifted = x;
  let sum = 0;
  while (shifted < 20) {
    sum += 1 / (shifted * shifted);
    shifted += 1;
  }
  const w = 1 / (shifted * shifted);
  const series = w * (1 / 6 - w * (1 / 30 - w * (1 / 42 - w * (1 / 30 - (w * 5) / 66))));
  return sum + 1 / shifted + w / 2 + series / shifted;
}
