import { loadMeasures, MeasureAccumulator, normalisedTotals } from '@shardex/shared/kernels';
import {
  fitPerturbation,
  freezeControl,
  shrinkPerturbation,
  type FrozenControl,
  type ShrunkResult,
} from '@shardex/shared/stats';
import type { FitRows } from './fit-rows.js';
import type { FrozenStatistics } from './frozen-control.js';
import type { CellFactors } from './job-data.js';
import type { CountBlock, NbEngine, PerturbedArm } from './nb-engine.js';
import { setNbLayers } from './nb-layers.js';
import { nodeSetOf } from './node-set.js';
import { measuresWithoutOwn } from './reference.js';
import type { TaskScope } from './task-scope.js';

/**
 * The NB-GLM of two groups, from the compressed measures of the perturbation and of the frozen control; or of the frozen pool
 * without the perturbation's own cells, which is fitted anew for every perturbation.
 */
export class MeasuresEngine implements NbEngine {
  private readonly measures: MeasureAccumulator;
  private readonly control: FrozenControl;

  constructor(
    private readonly scope: TaskScope,
    factors: CellFactors,
    control: FrozenStatistics,
    frozen: NonNullable<FrozenStatistics['nb']>,
    private readonly results: FitRows,
  ) {
    const { heap, job } = scope;
    const nodes = nodeSetOf(factors);
    const measures = loadMeasures(heap, { ...frozen, nCells: control.cells });
    this.measures = new MeasureAccumulator(heap, job.context.nGenes, nodes);
    this.control = freezeControl(heap, nodes, measures, frozen.dispersions);
  }

  reset(): void {
    this.measures.reset();
  }

  addRows(block: CountBlock): void {
    this.measures.addRows(block.rows, block.sizeFactors);
  }

  fit({ row, cells, geneStatus }: PerturbedArm): Promise<void> {
    const { scope, measures, results } = this;
    const { parameters } = scope.job.context;
    const fit = this.withReference((reference) =>
      fitPerturbation(scope.heap, reference, measures, { test: parameters.nbTest, geneStatus }),
    );
    const mean = normalisedTotals(measures, measures.nodes).map((total) => total / cells);
    setNbLayers(results, row, fit, mean, parameters);
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

  /** Hands over what the perturbation is compared with, valid during the call. */
  private withReference<Result>(body: (reference: FrozenControl) => Result): Result {
    const { heap, job } = this.scope;
    const { measures: pool, dispersions } = this.control;
    if (job.context.parameters.reference === 'control') return body(this.control);
    return heap.scoped(() =>
      body(freezeControl(heap, this.measures.nodes, measuresWithoutOwn(heap, pool, this.measures), dispersions)),
    );
  }
}
