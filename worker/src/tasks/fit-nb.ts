import { loadMeasures, MeasureAccumulator, normalisedTotals } from '@shardex/shared/kernels';
import {
  fitPerturbation,
  freezeControl,
  shrinkPerturbation,
  type DispersionEstimate,
  type FrozenControl,
  type ShrunkResult,
} from '@shardex/shared/stats';
import { ComparisonDispersions } from './comparison-dispersions.js';
import type { FitRows } from './fit-rows.js';
import type { FrozenMeasures, FrozenStatistics } from './frozen-control.js';
import type { CellFactors } from './job-data.js';
import type { CountBlock, NbEngine, PerturbedArm } from './nb-engine.js';
import { setNbLayers } from './nb-layers.js';
import { nodeSetOf } from './node-set.js';
import { measuresWithoutOwn, type ArmMeasures } from './reference.js';
import type { TaskScope } from './task-scope.js';

/**
 * The NB-GLM of two groups, from the compressed measures of the perturbation and of the frozen control; or of the frozen pool
 * without the perturbation's own cells. What depends on the perturbation, that rest or dispersions of the comparison's own, is
 * fitted anew for each.
 */
export class MeasuresEngine implements NbEngine {
  private readonly measures: MeasureAccumulator;
  private readonly pool: ArmMeasures;
  /** The control at the dispersions of all comparisons; null where it is fitted anew for every perturbation. */
  private readonly control: FrozenControl | null;
  private readonly ownDispersions: ComparisonDispersions | null;

  constructor(
    private readonly scope: TaskScope,
    factors: CellFactors,
    control: FrozenStatistics,
    private readonly frozen: FrozenMeasures,
    private readonly results: FitRows,
  ) {
    const { heap, job } = scope;
    const { reference, dispersionEstimator } = job.context.parameters;
    const nodes = nodeSetOf(factors);
    const { dispersions, squares, histogram } = frozen;
    this.pool = { measures: loadMeasures(heap, { ...frozen, nCells: control.cells }), squares };
    this.measures = new MeasureAccumulator(heap, job.context.nGenes, nodes, squares !== null);
    const isFrozen = reference === 'control' && histogram === null;
    this.control = isFrozen ? freezeControl(heap, nodes, this.pool.measures, dispersions, squares) : null;
    this.ownDispersions =
      histogram && new ComparisonDispersions(scope, factors, histogram, reference !== 'control', dispersionEstimator);
  }

  reset(): void {
    this.measures.reset();
    this.ownDispersions?.reset();
  }

  addRows(block: CountBlock): void {
    this.measures.addRows(block.rows, block.sizeFactors);
    this.ownDispersions?.addRows(block.rows);
  }

  fit({ row, cells, geneStatus }: PerturbedArm): Promise<void> {
    const { scope, measures, results } = this;
    const { parameters } = scope.job.context;
    this.withReference((reference, estimate) => {
      const { nbTest: test, waldReference } = parameters;
      const { squares } = measures;
      const fit = fitPerturbation(scope.heap, reference, measures, { test, waldReference, squares, geneStatus });
      const mean = normalisedTotals(scope.heap, measures, measures.nodes).map((total) => total / cells);
      setNbLayers(results, row, fit, mean, parameters);
      if (estimate === null) return;
      results.set('nb-glm', 'dispersion', row, estimate.final);
      results.setTrend(row, estimate);
    });
    return Promise.resolve();
  }

  /**
   * Sets the shrunken layers of one perturbation, once all its cells were taken.
   *
   * @param log2FoldChange - the fitted ones; NaN where nothing is to be shrunk
   * @param priorScale - of the Cauchy prior, natural log
   */
  shrink(row: number, log2FoldChange: Float64Array, priorScale: number): ShrunkResult {
    const { scope, measures, results } = this;
    const shrunk = this.withReference((reference) =>
      shrinkPerturbation(scope.heap, reference, measures, { log2FoldChange }, priorScale),
    );
    results.set('nb-glm', 'logfoldchange_shrunk', row, shrunk.log2FoldChangeShrunk);
    results.set('nb-glm', 'standard_error_shrunk', row, shrunk.standardErrorShrunkLog2);
    return shrunk;
  }

  /** Hands over what the perturbation is compared with, and dispersions of their own; valid during the call. */
  private withReference<Result>(
    body: (reference: FrozenControl, estimate: DispersionEstimate | null) => Result,
  ): Result {
    const { control, pool, measures } = this;
    if (control !== null) return body(control, null);
    const { heap, job } = this.scope;
    return heap.scoped(() => {
      const own = { measures, squares: measures.squares };
      const isControl = job.context.parameters.reference === 'control';
      const reference = isControl ? pool : measuresWithoutOwn(heap, pool, own);
      const estimate = this.ownDispersions?.estimate(reference, own) ?? null;
      const dispersions = estimate?.final ?? this.frozen.dispersions;
      return body(freezeControl(heap, measures.nodes, reference.measures, dispersions, reference.squares), estimate);
    });
  }
}
