import { GeneStatus, type RankSumTest } from '@shardex/shared/stats';
import type { FitRows } from './fit-rows.js';

/** The layers of one perturbation's Wilcoxon test, filled gene by gene. */
export class RankLayers {
  private readonly effect: Float64Array;
  private readonly z: Float64Array;
  private readonly p: Float64Array;
  private readonly log10P: Float64Array;
  private readonly status: Uint8Array;
  /** Null when this run does not write it. */
  private readonly u: Float64Array | null;

  constructor(results: FitRows, row: number) {
    const of = (layer: string): Float64Array => results.row('wilcoxon', layer, row) as Float64Array;
    [this.effect, this.z, this.p, this.log10P] = ['X', 'z_score', 'pvalue', 'log10_pvalue'].map(of);
    this.status = results.status('wilcoxon', row);
    this.u = results.row('wilcoxon', 'u_statistic', row) as Float64Array | null;
  }

  /** Sets a gene, or leaves it without numbers where its status says that it is not to be tested. */
  set(gene: number, test: RankSumTest, u: number): void {
    const isKept = this.status[gene] === GeneStatus.tested;
    // Where nothing varies there is nothing to test: the status says so, and no p-value enters any correction.
    const isTested = isKept && test.status === GeneStatus.tested;
    if (isKept) this.status[gene] = test.status;
    this.effect[gene] = isKept ? test.auc : NaN;
    this.z[gene] = isTested ? test.z : NaN;
    this.p[gene] = isTested ? test.pValue : NaN;
    this.log10P[gene] = isTested ? test.log10PValue : NaN;
    if (this.u !== null) this.u[gene] = isKept ? u : NaN;
  }
}
