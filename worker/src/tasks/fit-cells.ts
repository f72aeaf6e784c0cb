import type { CellDesign } from '@shardex/shared/artifacts';
import { isRatioMethod, type DeParameters } from '@shardex/shared/config';
import { CancelledError } from '@shardex/shared/errors';
import {
  ArmGlm,
  compareArms,
  ComparisonTest,
  GeneStatus,
  type ArmFit,
  type ComparisonCells,
  type ComparisonTestOptions,
  type GeneComparison,
  type NbResult,
  type PlacedCounts,
} from '@shardex/shared/stats';
import { comparisonCells } from './fit-cells-comparison.js';
import { ControlCells, type ControlChunk } from './fit-cells-control.js';
import { CountRowBuffer } from './fit-cells-counts.js';
import { DispersionsOfComparison } from './fit-cells-dispersion.js';
import type { FitRows } from './fit-rows.js';
import type { CellFactors } from './job-data.js';
import type { CountBlock, NbEngine, PerturbedArm } from './nb-engine.js';
import { setNbLayers } from './nb-layers.js';
import type { TaskScope } from './task-scope.js';

/** The NB-GLM by direct sums over the cells of each comparison: clamped means, any covariates, its own size factors. */
export class CellsEngine implements NbEngine {
  private readonly perturbed = new CountRowBuffer();
  private control: Promise<ControlCells> | null = null;

  /** @param dispersions - α per gene; NaN where each comparison estimates its own */
  constructor(
    private readonly scope: TaskScope,
    private readonly factors: CellFactors,
    private readonly dispersions: Float64Array,
    private readonly results: FitRows,
  ) {}

  reset(): void {
    this.perturbed.clear();
  }

  addRows(block: CountBlock): void {
    this.perturbed.add(block);
  }

  async fit(arm: PerturbedArm): Promise<void> {
    const { scope, factors, perturbed } = this;
    const { parameters } = scope.job.context;
    const byRatios = parameters.sizeFactorScope === 'per-comparison' && isRatioMethod(parameters.sizeFactors);
    this.control ??= ControlCells.open(scope, byRatios);
    const control = await this.control;
    const layers = new ComparisonLayers(arm.geneStatus);
    if (isSeparable(parameters, scope.job.context.design)) {
      await this.testArms(control, layers);
      layers.set(this.results, arm.row, parameters);
      return;
    }
    const cells = await comparisonCells(scope, factors, control, perturbed);
    if (cells === null) layers.leaveOut(GeneStatus.collinearDesign);
    else if (cells.design.nCells <= cells.design.nCoefficients) layers.leaveOut(GeneStatus.tooFewCells);
    else await this.testGenes(control, cells, layers);
    layers.set(this.results, arm.row, parameters);
  }

  private async testGenes(control: ControlCells, cells: ComparisonCells, layers: ComparisonLayers): Promise<void> {
    const { dispersionScope, dispersionEstimator, minMu } = this.scope.job.context.parameters;
    const own =
      dispersionScope === 'per-comparison'
        ? new DispersionsOfComparison(cells, layers.nGenes, minMu, dispersionEstimator)
        : null;
    if (own !== null) {
      await this.eachGene(control, cells, (gene, counts) => {
        own.see(gene, counts);
      });
    }
    const test = new ComparisonTest(cells, this.options);
    await this.eachGene(control, cells, (gene, counts, mean) => {
      layers.mean[gene] = mean;
      if (layers.status[gene] !== GeneStatus.tested) return;
      const alpha = own?.of(gene, counts) ?? this.dispersions[gene];
      layers.dispersion[gene] = alpha;
      layers.take(gene, test.test(counts, alpha));
    });
  }

  /** Two groups, the control's fits made once for the thread's tasks of the job. */
  private async testArms(control: ControlCells, layers: ComparisonLayers): Promise<void> {
    const { scope, factors, perturbed, dispersions } = this;
    const { minMu, standardErrors, waldReference } = scope.job.context.parameters;
    const fits = await this.controlFits(control);
    const arm = new ArmGlm(sizeFactorsOf(factors, perturbed.cells), minMu, standardErrors);
    const { offsets, cells, counts } = perturbed.columns(0, layers.nGenes);
    const degrees = waldReference === 't' ? control.cells.length + perturbed.cells.length - 2 : Infinity;
    for (let gene = 0; gene < layers.nGenes; gene++) {
      const placed = arm.cells.place(cells, counts, offsets[gene], offsets[gene + 1]);
      layers.mean[gene] = arm.cells.meanNormalised(placed);
      if (layers.status[gene] !== GeneStatus.tested) continue;
      layers.take(gene, compareArms(fits[gene], arm.fit(placed, dispersions[gene]), degrees));
    }
  }

  private controlFits(control: ControlCells): Promise<ArmFit[]> {
    const { kept } = this.scope.job;
    const fits = (kept.get(CONTROL_FITS) as Promise<ArmFit[]> | undefined) ?? this.fitControl(control);
    kept.set(CONTROL_FITS, fits);
    return fits;
  }

  private async fitControl(control: ControlCells): Promise<ArmFit[]> {
    const { minMu, standardErrors } = this.scope.job.context.parameters;
    const arm = new ArmGlm(sizeFactorsOf(this.factors, control.cells), minMu, standardErrors);
    const fits: ArmFit[] = [];
    for await (const { begin, end, columns } of control.chunks()) {
      const { offsets, cells, counts } = columns;
      for (let gene = begin; gene < end; gene++) {
        const placed = arm.cells.place(cells, counts, offsets[gene - begin], offsets[gene - begin + 1]);
        fits.push(arm.fit(placed, this.dispersions[gene]));
      }
    }
    return fits;
  }

  private get options(): ComparisonTestOptions {
    const { minMu, nbTest, waldReference, standardErrors, cooks, cooksFilter } = this.scope.job.context.parameters;
    const unfiltered = cooks ? 'report' : 'none';
    return { minMu, test: nbTest, waldReference, standardErrors, cooks: cooksFilter ? 'filter' : unfiltered };
  }

  /** @param visit - gets a gene's counts in their places and the mean of y/s over the perturbed cells */
  private async eachGene(
    control: ControlCells,
    cells: ComparisonCells,
    visit: (gene: number, counts: PlacedCounts, mean: number) => void,
  ): Promise<void> {
    const nControl = control.cells.length;
    const at = new Uint32Array(cells.design.nCells);
    const counts = new Uint32Array(cells.design.nCells);
    for await (const chunk of control.chunks()) {
      if (this.scope.runtime.signal.aborted) throw new CancelledError('the task was abandoned');
      const own = this.perturbed.columns(chunk.begin, chunk.end);
      for (let gene = chunk.begin; gene < chunk.end; gene++) {
        const nOfControl = copyColumn(chunk.columns, gene - chunk.begin, at, counts, 0, 0);
        const n = copyColumn(own, gene - chunk.begin, at, counts, nOfControl, nControl);
        const placed = cells.place(at, counts, 0, n);
        let sum = 0;
        for (let k = nOfControl; k < n; k++) sum += counts[k] / cells.sizeFactors[placed.places[k]];
        visit(gene, placed, sum / (cells.design.nCells - nControl));
      }
    }
  }
}

const CONTROL_FITS = 'cells-control-fits';

/** Whether the control's fit does not depend on the perturbation and is all that the comparison needs of it. */
const isSeparable = (parameters: DeParameters, { categorical, continuous }: CellDesign): boolean =>
  categorical.length + continuous.length === 0 &&
  parameters.minMu > 0 &&
  parameters.nbTest === 'wald' &&
  parameters.sizeFactorScope === 'global' &&
  parameters.dispersionScope !== 'per-comparison' &&
  !parameters.cooks &&
  !parameters.cooksFilter;

const sizeFactorsOf = ({ sizeFactor }: CellFactors, cells: ArrayLike<number>): Float64Array =>
  Float64Array.from(cells, (cell) => sizeFactor[cell]);

/** Copies a gene's column behind what is there, its cells numbered from `first`. @returns the new length */
function copyColumn(
  { offsets, cells, counts }: ControlChunk['columns'],
  gene: number,
  toCells: Uint32Array,
  toCounts: Uint32Array,
  length: number,
  first: number,
): number {
  for (let i = offsets[gene]; i < offsets[gene + 1]; i++, length++) {
    toCells[length] = cells[i] + first;
    toCounts[length] = counts[i];
  }
  return length;
}

/** The rows of one perturbation in the making. */
class ComparisonLayers implements NbResult {
  readonly nGenes: number;
  readonly status: Uint8Array;
  readonly log2FoldChange: Float64Array;
  readonly standardErrorLog2: Float64Array;
  readonly standardErrorRobustLog2: Float64Array;
  readonly zScore: Float64Array;
  readonly pValue: Float64Array;
  readonly log10PValue: Float64Array;
  readonly meanPerturbed: Float64Array;
  readonly meanControl: Float64Array;
  readonly iterations: Uint8Array;
  readonly converged: Uint8Array;
  readonly mean: Float64Array;
  readonly dispersion: Float64Array;
  private readonly cooks: Float64Array;

  constructor(geneStatus: Uint8Array) {
    const missing = (): Float64Array => new Float64Array(geneStatus.length).fill(NaN);
    this.nGenes = geneStatus.length;
    this.status = geneStatus.slice();
    this.log2FoldChange = missing();
    this.standardErrorLog2 = missing();
    this.standardErrorRobustLog2 = missing();
    this.zScore = missing();
    this.pValue = missing();
    this.log10PValue = missing();
    this.meanPerturbed = missing();
    this.meanControl = missing();
    this.iterations = new Uint8Array(geneStatus.length);
    this.converged = new Uint8Array(geneStatus.length);
    this.mean = missing();
    this.dispersion = missing();
    this.cooks = missing();
  }

  /** Says of every gene that was to be tested why it was not. */
  leaveOut(reason: GeneStatus): void {
    this.status.forEach((status, gene) => {
      if (status === GeneStatus.tested) this.status[gene] = reason;
    });
  }

  take(gene: number, found: GeneComparison): void {
    this.status[gene] = found.status;
    this.log2FoldChange[gene] = found.log2FoldChange;
    this.standardErrorLog2[gene] = found.standardErrorLog2;
    this.standardErrorRobustLog2[gene] = found.standardErrorRobustLog2;
    this.zScore[gene] = found.zScore;
    this.pValue[gene] = found.pValue;
    this.log10PValue[gene] = found.log10PValue;
    this.meanControl[gene] = Math.exp(found.intercept);
    this.meanPerturbed[gene] = Math.exp(found.intercept + found.log2FoldChange * Math.LN2);
    this.iterations[gene] = Math.min(found.iterations, 255);
    this.converged[gene] = found.converged ? 1 : 0;
    this.cooks[gene] = found.cooksDistance;
  }

  set(results: FitRows, row: number, parameters: Parameters<typeof setNbLayers>[4]): void {
    setNbLayers(results, row, this, this.mean, parameters);
    results.set('nb-glm', 'cooks_max', row, this.cooks);
    results.set('nb-glm', 'dispersion', row, this.dispersion);
  }
}
