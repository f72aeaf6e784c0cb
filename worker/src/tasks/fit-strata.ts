import { emptyNbResult, fitStrata, strataDesign, type NbResult, type StratumMeasures } from '@shardex/shared/stats';
import type { NodeSet } from '@shardex/shared/kernels';
import type { FitRows } from './fit-rows.js';
import type { FrozenStatistics } from './frozen-control.js';
import { readFrozenStrata } from './frozen-strata.js';
import type { GroupRows } from './group-rows.js';
import type { CellFactors } from './job-data.js';
import { isCountBlock, type CountBlock, type NbEngine, type PerturbedArm } from './nb-engine.js';
import { setNbLayers } from './nb-layers.js';
import { nodeSetOf } from './node-set.js';
import { StrataMeasures } from './strata-measures.js';
import type { Strata } from './strata.js';
import type { TaskScope } from './task-scope.js';

/** Share of a task's memory that the measures of either arm may take. */
const MEASURES_SHARE = 0.15;

const KEY = 'frozen-strata';

/** Genes whose measures of all strata fit into the memory that a task may give them. */
export function genesAtATime(scope: TaskScope, nodes: NodeSet, strata: Strata, withSquares: boolean): number {
  const bytesPerGene = strata.count * nodes.count * Float64Array.BYTES_PER_ELEMENT * (withSquares ? 2 : 1);
  return Math.max(1, Math.floor((scope.assignment.memoryBytes * MEASURES_SHARE) / bytesPerGene));
}

/**
 * The NB-GLM with categorical covariates, from compressed measures of every arm × stratum.
 *
 * The perturbed cells are read once with the other tests, and again for each further part of the genes where their measures
 * of all strata are more than the task's memory holds.
 */
export class StrataEngine implements NbEngine {
  private readonly nodes: NodeSet;
  private readonly measures: StrataMeasures;
  private readonly isWhole: boolean;

  constructor(
    private readonly scope: TaskScope,
    factors: CellFactors,
    private readonly control: FrozenStatistics,
    private readonly dispersions: Float64Array,
    strata: Strata,
    private readonly rows: GroupRows,
    private readonly results: FitRows,
  ) {
    const { nGenes, parameters } = scope.job.context;
    this.nodes = nodeSetOf(factors);
    const withSquares = parameters.standardErrors === 'robust';
    const genes = Math.min(nGenes, genesAtATime(scope, this.nodes, strata, withSquares));
    this.isWhole = genes === nGenes;
    this.measures = new StrataMeasures(scope.heap, genes, this.nodes, strata, withSquares);
  }

  reset(): void {
    this.measures.reset();
  }

  addRows(block: CountBlock): void {
    if (this.isWhole) this.measures.addRows(block);
  }

  async fit(arm: PerturbedArm): Promise<void> {
    const { scope, measures, results } = this;
    const { nGenes, parameters } = scope.job.context;
    const whole = emptyNbResult(nGenes, parameters.standardErrors === 'robust');
    const mean = new Float64Array(nGenes);
    for (let begin = 0; begin < nGenes; begin += measures.nGenes) {
      const end = Math.min(nGenes, begin + measures.nGenes);
      if (!this.isWhole) await this.read(arm.group, begin, end);
      copyInto(whole, await this.fitGenes(arm, begin, end), begin);
      const totals = measures.normalisedTotals().subarray(0, end - begin);
      mean.set(
        totals.map((total) => total / arm.cells),
        begin,
      );
    }
    setNbLayers(results, arm.row, whole, mean, parameters);
  }

  private async read(group: number, begin: number, end: number): Promise<void> {
    this.measures.reset();
    for await (const block of this.rows.blocks(group, begin, end)) {
      if (isCountBlock(block)) this.measures.addRows(block);
    }
  }

  private async fitGenes({ geneStatus }: PerturbedArm, begin: number, end: number): Promise<NbResult> {
    const { scope, measures, nodes, dispersions } = this;
    const { design, parameters } = scope.job.context;
    const control = await this.frozen(begin, end);
    const controlCells = control.map((one) => one?.nCells ?? 0);
    return fitStrata(
      strataDesign(design.strata, controlCells, measures.cells()),
      { control, perturbed: measures.measures() },
      nodes.sizeFactors,
      dispersions.subarray(begin, end),
      {
        test: parameters.nbTest,
        waldReference: parameters.waldReference,
        geneStatus: geneStatus.subarray(begin, end),
      },
    );
  }

  /** Kept for the thread's next tasks where all genes are held at once. */
  private frozen(begin: number, end: number): Promise<(StratumMeasures | null)[]> {
    const { kept } = this.scope.job;
    const cached = kept.get(KEY) as Promise<(StratumMeasures | null)[]> | undefined;
    if (this.isWhole && cached !== undefined) return cached;
    const reading = readFrozenStrata(this.control.chunks, this.nodes, begin, end);
    if (this.isWhole) kept.set(KEY, reading);
    return reading;
  }
}

function copyInto(whole: NbResult, part: NbResult, begin: number): void {
  for (const name of Object.keys(whole) as (keyof NbResult)[]) {
    const values = part[name];
    if (values !== null) whole[name]?.set(values, begin);
  }
}
