import type { Calibration } from './result-shapes.js';

const HISTOGRAM_BINS = 20;
/** Bins of p for the median: an error of 5·10⁻⁴ at most before interpolation. */
const FINE_BINS = 1000;
/** Bins of −log10 p in a decade: finer than a plot shows. */
const BINS_PER_DECADE = 100;
/** Pairs that a quantile plot holds at most. */
const MAXIMUM_QUANTILES = 300;
/** Square of the standard normal's quantile at 3/4: the median of χ² with one degree of freedom. */
const MEDIAN_CHI_SQUARE = 0.454_936_423_119_572_8;

/** Counts p-values of any number of tests in bounded memory, for a histogram, a quantile plot and the inflation factor. */
export class PvalueTally {
  private readonly fine = new Float64Array(FINE_BINS);
  private readonly decades = new Map<number, number>();
  private tested = 0;

  /** @param log10Pvalue - also where p is 0 as a double; NaN p-values were not tested and are passed over */
  add(pvalue: number, log10Pvalue: number): void {
    if (Number.isNaN(pvalue)) return;
    this.tested++;
    this.fine[Math.min(FINE_BINS - 1, Math.floor(pvalue * FINE_BINS))]++;
    const bin = Math.max(0, Math.floor(-log10Pvalue * BINS_PER_DECADE));
    this.decades.set(bin, (this.decades.get(bin) ?? 0) + 1);
  }

  finish(): Calibration {
    const width = FINE_BINS / HISTOGRAM_BINS;
    const histogram = Array.from({ length: HISTOGRAM_BINS }, (_, bin) =>
      this.fine.subarray(bin * width, (bin + 1) * width).reduce((sum, count) => sum + count, 0),
    );
    return { tested: this.tested, histogram, quantiles: this.quantiles(), inflation: this.inflation() };
  }

  /** The middle rank of each bin's p-values, over n + 1; bins that a plot would not tell apart are passed over. */
  private quantiles(): [number, number][] {
    const pairs: [number, number][] = [];
    const step = Math.log10(this.tested + 1) / MAXIMUM_QUANTILES;
    let smaller = 0;
    let last = Number.POSITIVE_INFINITY;
    for (const [bin, count] of [...this.decades].sort(([left], [right]) => right - left)) {
      const expected = -Math.log10((smaller + (count + 1) / 2) / (this.tested + 1));
      smaller += count;
      if (last - expected < step) continue;
      last = expected;
      pairs.push([round(expected), round((bin + 0.5) / BINS_PER_DECADE)]);
    }
    return pairs.reverse();
  }

  private inflation(): number | null {
    if (this.tested === 0) return null;
    let below = 0;
    let bin = 0;
    while (below + this.fine[bin] < this.tested / 2) below += this.fine[bin++];
    const median = (bin + (this.tested / 2 - below) / this.fine[bin]) / FINE_BINS;
    const z = normalQuantile(1 - Math.min(1, Math.max(median, 1e-6)) / 2);
    return round((z * z) / MEDIAN_CHI_SQUARE);
  }
}

const round = (value: number): number => Number(value.toPrecision(4));

/**
 * Quantile of the standard normal for p in [1/2, 1), absolute error below 4.5·10⁻⁴: enough for two digits of a ratio.
 *
 * @source Abramowitz & Stegun 1964, 26.2.23
 */
function normalQuantile(p: number): number {
  if (p >= 1) return Number.POSITIVE_INFINITY;
  const t = Math.sqrt(-2 * Math.log(1 - p));
  return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}
