import type { DispersionEstimator } from '@shardex/shared/config';
import {
  DispersionProfile,
  inverseSizeFactors,
  normalisedSquares,
  normalisedTotals,
  type HeapRows,
  type NodeSet,
} from '@shardex/shared/kernels';
import {
  chosenDispersions,
  CountHistogram,
  createDispersionGrid,
  estimateDispersions,
  momentDispersions,
  type CountHistogramArrays,
  type DispersionEstimate,
} from '@shardex/shared/stats';
import type { CellFactors } from './job-data.js';
import { nodeSetOf } from './node-set.js';
import type { ArmMeasures } from './reference.js';
import type { TaskScope } from './task-scope.js';

/** The two intercepts of a comparison. */
const GROUPS = 2;

/** Dispersions of single comparisons, from the cells of both arms alone: measures of each, and one histogram of counts. */
export class ComparisonDispersions {
  private readonly nodes: NodeSet;
  private readonly grid = createDispersionGrid();
  private readonly profile: DispersionProfile;
  private histogram: CountHistogram;

  /**
   * @param frozen - histogram of the control cells; or, where a perturbation is compared with the rest of a pool, of the pool,
   *   which are the cells of every comparison
   */
  constructor(
    private readonly scope: TaskScope,
    private readonly factors: CellFactors,
    private readonly frozen: CountHistogramArrays,
    private readonly ownIsInPool: boolean,
    private readonly estimator: DispersionEstimator,
  ) {
    this.nodes = nodeSetOf(factors);
    const { logAlphas } = this.grid;
    const { nGenes } = frozen;
    this.profile = new DispersionProfile(
      scope.heap,
      nGenes,
      this.nodes.sizeFactors,
      logAlphas,
      factors.quantumExponents,
    );
    this.histogram = CountHistogram.fromArrays(frozen);
  }

  /** Starts a comparison. */
  reset(): void {
    if (!this.ownIsInPool) this.histogram = CountHistogram.fromArrays(this.frozen);
  }

  /** Takes some of the perturbed cells. */
  addRows(rows: HeapRows): void {
    if (!this.ownIsInPool) this.histogram.addRows(rows);
  }

  /** Estimates, once all cells were taken; `final` is what the estimator asked for says. */
  estimate(reference: ArmMeasures, perturbed: ArmMeasures): DispersionEstimate {
    const { profile, nodes, grid, histogram, factors } = this;
    const { heap } = this.scope;
    const arms = [reference, perturbed];
    heap.zero(profile.sums);
    for (const { measures } of arms) profile.addGroup(measures);
    const nCells = reference.measures.nCells + perturbed.measures.nCells;
    const sums = addUp(arms.map(({ measures }) => normalisedTotals(heap, measures, nodes)));
    const estimate = estimateDispersions(heap, {
      profileSums: profile.sums,
      grid,
      quantumExponents: factors.quantumExponents,
      histogram,
      meanNormalised: sums.map((sum) => sum / nCells),
      totals: addUp(arms.map(({ measures }) => measures.sumCounts)),
      nCells,
      nGroups: GROUPS,
    });
    const ofSquares = arms.flatMap(({ measures, squares }) =>
      squares === null ? [] : [normalisedSquares(heap, squares, measures.nGenes, nodes)],
    );
    const moments =
      this.estimator !== 'moments'
        ? null
        : momentDispersions({
            nCells,
            sums,
            sumsOfSquares: addUp(ofSquares),
            inverseSizeFactors: arms.reduce((sum, { measures }) => sum + inverseSizeFactors(heap, measures, nodes), 0),
          });
    return { ...estimate, final: chosenDispersions(estimate, this.estimator, moments) };
  }
}

const addUp = ([first, ...others]: readonly Float64Array[]): Float64Array =>
  first.map((value, i) => others.reduce((sum, values) => sum + values[i], value));
