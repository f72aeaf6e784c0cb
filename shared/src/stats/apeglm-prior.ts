/** Smallest and largest variance looked for. @source apeglm 1.27.0, `priorVar`: `min.var`, `max.var`; PyDESeq2 0.5.4 has the same */
const MIN_VARIANCE = 1e-6;
const MAX_VARIANCE = 400;
/** The Cauchy prior is never wider than this. @source apeglm 1.27.0, `apeglm`: `min(prior.scale, 1)` */
const MAX_SCALE = 1;
/** Standard deviation of the normal prior of the intercept. @source apeglm 1.27.0, `prior.no.shrink.scale` */
export const INTERCEPT_PRIOR_SCALE = 15;
/** Relative width of a bracket that ends the search. */
const TOLERANCE = 1e-10;

/**
 * Estimates the variance A of the true log fold changes from their estimates and standard errors, natural log:
 * the A with
 *
 *     Σ (x² − d²) w(A) = A Σ w(A),   w(A) = 1/(A + d²)²,
 *
 * which is the maximum-likelihood equation of x ~ N(0, A + d²). Where already the smallest A, 1e-6, is too large, that
 * is the result; where the largest, 400, is too small, that one. With several solutions the smallest is taken.
 *
 * The search holds no genes, so a screen too large for memory is read once a pass: 10 times with the 15 points a pass
 * that are the default. Pairs that are not finite, or whose standard error is not positive, take no part.
 *
 * @source Efron & Morris 1975, J. Am. Stat. Assoc. 70:311, section 3; Zhu, Ibrahim & Love 2019, Bioinformatics 35:2084
 */
export class PriorVarianceSearch {
  private low = Math.log(MIN_VARIANCE);
  private high = Math.log(MAX_VARIANCE);
  private found: number | null = null;
  private points: Float64Array;
  private sums: Float64Array;

  /** @param pointsPerPass - by which a pass divides the bracket: more make fewer passes of more work */
  constructor(private readonly pointsPerPass = 15) {
    this.points = this.divide(true);
    this.sums = new Float64Array(this.points.length);
  }

  /** The estimate, or null while another pass over the pairs is needed. */
  get variance(): number | null {
    return this.found;
  }

  /** Adds pairs to the present pass, in an order that the caller keeps the same. Cost: about 3 ns a pair and point. */
  add(logFoldChange: ArrayLike<number>, standardError: ArrayLike<number>): void {
    const { points, sums } = this;
    for (let i = 0; i < logFoldChange.length; i++) {
      const d = standardError[i] ** 2;
      const excess = logFoldChange[i] ** 2 - d;
      if (!(d > 0 && Number.isFinite(excess))) continue;
      for (let p = 0; p < points.length; p++) sums[p] += (excess - points[p]) / (points[p] + d) ** 2;
    }
  }

  /** Ends the pass. Without any pair the largest variance is the estimate: nothing speaks for shrinking. */
  endPass(): void {
    const { points, sums } = this;
    const falls = sums.findIndex((sum) => !(sum > 0));
    if (falls === 0 && points[0] === MIN_VARIANCE)
      this.found = sums.some((sum) => sum !== 0) ? MIN_VARIANCE : MAX_VARIANCE;
    else if (falls < 0 && points[points.length - 1] === MAX_VARIANCE) this.found = MAX_VARIANCE;
    else {
      if (falls > 0) this.low = Math.log(points[falls - 1]);
      if (falls < 0) this.low = Math.log(points[points.length - 1]);
      if (falls >= 0) this.high = Math.log(points[falls]);
      if (this.high - this.low < TOLERANCE) this.found = Math.exp((this.low + this.high) / 2);
    }
    this.points = this.divide(false);
    this.sums = new Float64Array(this.points.length);
  }

  /** Points that divide the bracket evenly in log A; the ends are known, save at first. */
  private divide(withEnds: boolean): Float64Array {
    const parts = this.pointsPerPass + 1;
    const inner = Array.from({ length: this.pointsPerPass }, (_, i) =>
      Math.exp(this.low + ((this.high - this.low) * (i + 1)) / parts),
    );
    return Float64Array.from(withEnds ? [MIN_VARIANCE, ...inner, MAX_VARIANCE] : inner);
  }
}

/** The scale of the Cauchy prior that goes with a variance of the true fold changes: its root, at most 1; natural log. */
export const priorScaleOf = (variance: number): number => Math.min(Math.sqrt(variance), MAX_SCALE);

/**
 * The scale of apeGLM's prior, natural log, from the maximum-likelihood fold changes and their standard errors.
 *
 * apeglm solves the same equation but may stop 1.2e-4 away from the variance (R's `uniroot` by default); here it is solved
 * to 1e-10 of itself. Cost: about 0.1 µs a gene.
 *
 * @param log2FoldChange - and `standardErrorLog2`: of one comparison, or of all; pairs with a NaN take no part
 */
export function estimatePriorScale(log2FoldChange: ArrayLike<number>, standardErrorLog2: ArrayLike<number>): number {
  const [x, d] = [log2FoldChange, standardErrorLog2].map((values) => Float64Array.from(values, (v) => v * Math.LN2));
  const search = new PriorVarianceSearch(1);
  while (search.variance === null) {
    search.add(x, d);
    search.endPass();
  }
  return priorScaleOf(search.variance);
}
