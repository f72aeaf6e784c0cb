import type { DispersionEstimator } from '@shardex/shared/config';
import {
  ComparisonDispersion,
  fitDispersionPrior,
  type ComparisonCells,
  type DispersionPrior,
  type PlacedCounts,
} from '@shardex/shared/stats';

/** The dispersions of one comparison: every gene is seen once before the first is asked for. */
export class DispersionsOfComparison {
  private readonly dispersion: ComparisonDispersion;
  private readonly baseMeans: Float64Array;
  private readonly genewise: Float64Array;
  private readonly moments: Float64Array;
  private readonly means: Float64Array;
  private prior: DispersionPrior | null = null;

  constructor(
    private readonly cells: ComparisonCells,
    nGenes: number,
    private readonly minMu: number,
    private readonly estimator: DispersionEstimator,
  ) {
    this.dispersion = new ComparisonDispersion(cells, minMu);
    this.baseMeans = new Float64Array(nGenes);
    this.genewise = new Float64Array(nGenes).fill(NaN);
    this.moments = new Float64Array(nGenes).fill(NaN);
    this.means = new Float64Array(nGenes * cells.design.nCoefficients);
  }

  /** Takes a gene's counts. */
  see(gene: number, counts: PlacedCounts): void {
    if (counts.length === 0) return;
    const estimate = this.dispersion.estimate(counts, this.meansOf(gene));
    this.baseMeans[gene] = estimate.baseMean;
    this.genewise[gene] = estimate.genewise;
    this.moments[gene] = estimate.moments;
  }

  /** The dispersion that the gene is tested with; NaN without counts. */
  of(gene: number, counts: PlacedCounts): number {
    const genewise = this.genewise[gene];
    if (Number.isNaN(genewise) || this.estimator === 'gene-wise') return genewise;
    if (this.estimator === 'moments') return this.moments[gene];
    const prior = this.fitPrior();
    const trend = prior.trend[gene];
    if (this.estimator === 'trend') return trend;
    if (Math.log(genewise) > Math.log(trend) + prior.outlierDistance) return genewise;
    return this.dispersion.posterior(counts, this.meansOf(gene), trend, prior);
  }

  private fitPrior(): DispersionPrior {
    const { nCells, nCoefficients } = this.cells.design;
    // A clamp comes with PyDESeq2's choices throughout; see ComparisonDispersion.
    const rule = this.minMu > 0 ? 'pydeseq2' : 'deseq2';
    this.prior ??= fitDispersionPrior(this.baseMeans, this.genewise, nCells - nCoefficients, rule);
    return this.prior;
  }

  private meansOf(gene: number): Float64Array {
    const p = this.cells.design.nCoefficients;
    return this.means.subarray(gene * p, (gene + 1) * p);
  }
}
