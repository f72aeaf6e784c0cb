import { encodeBundle, type FitSummary, type TaskSpec } from '@shardex/shared/artifacts';
import {
  loadMeasures,
  MeasureAccumulator,
  MomentAccumulator,
  MomentColumn,
  normalisedTotals,
} from '@shardex/shared/kernels';
import {
  estimatePriorScale,
  fitPerturbation,
  freezeControl,
  GeneStatus,
  logFoldChange,
  shrinkPerturbation,
  type FrozenControl,
} from '@shardex/shared/stats';
import type { TaskOutput } from './commit.js';
import { compareMeans } from './fit-t-test.js';
import { FitRows } from './fit-rows.js';
import { RankTest } from './fit-wilcoxon.js';
import { frozenStatistics, type FrozenStatistics } from './frozen-control.js';
import type { GroupRows } from './group-rows.js';
import type { CellFactors } from './job-data.js';
import { nodeSetOf } from './node-set.js';
import { openGroupRows, type TaskScope } from './task-scope.js';

type FitSpec = Extract<TaskSpec, { kind: 'fit' }>;

/** Tests every gene of a run of perturbations against the frozen control, from one read of their cells. */
export async function runFit(scope: TaskScope, spec: FitSpec): Promise<TaskOutput> {
  const { job, runtime } = scope;
  const { nGenes, parameters } = job.context;
  const factors = await job.cellFactors();
  const control = await frozenStatistics(job);
  const rows = await openGroupRows(scope, spec.groupBegin, spec.groupEnd);
  const groups: number[] = [];
  for (let group = spec.groupBegin; group < spec.groupEnd; group++)
    if (factors.groupKept[group] === 1) groups.push(group);
  const results = new FitRows(parameters, groups.length, nGenes);
  const arms = new PerturbationArms(scope, factors, control, rows, results);
  const ranks = parameters.tests.includes('wilcoxon') ? new RankTest(scope, rows, groups, control) : null;
  let nonzeros = 0;
  for (const [row, group] of groups.entries()) {
    const nExpressing = await arms.test(group, row);
    ranks?.count(row, nExpressing);
    nonzeros += rows.nonzerosOf(group);
    runtime.progress((0.7 * (row + 1)) / groups.length);
  }
  await ranks?.test(results, factors.geneKept, (fraction) => runtime.progress(0.7 + 0.3 * fraction));
  results.adjust();
  const meta: FitSummary = {
    groups,
    cells: groups.map((group) => rows.cellsOf(group)),
    notConverged: arms.notConverged,
  };
  return {
    parts: encodeBundle(meta, results.toArrays()),
    bytesRead: rows.bytesRead,
    nonzeros,
    fits: groups.length * nGenes * parameters.tests.length,
    warnings: [],
  };
}

/** Streams one perturbation after the other through the sums that the NB-GLM and the t-test need. */
class PerturbationArms {
  notConverged = 0;
  private readonly moments: MomentAccumulator;
  private readonly nb: { readonly measures: MeasureAccumulator; readonly control: FrozenControl } | null;

  constructor(
    private readonly scope: TaskScope,
    private readonly factors: CellFactors,
    private readonly control: FrozenStatistics,
    private readonly rows: GroupRows,
    private readonly results: FitRows,
  ) {
    const { heap, job } = scope;
    const { nGenes } = job.context;
    this.moments = new MomentAccumulator(heap, nGenes);
    if (control.nb === null) {
      this.nb = null;
      return;
    }
    const nodes = nodeSetOf(factors);
    const measures = loadMeasures(heap, { ...control.nb, nCells: control.cells });
    this.nb = {
      measures: new MeasureAccumulator(heap, nGenes, nodes),
      control: freezeControl(heap, nodes, measures, control.nb.dispersions),
    };
  }

  /** @returns cells that express each gene, valid until the next call */
  async test(group: number, row: number): Promise<Uint32Array> {
    const { moments, nb, results, control } = this;
    const { parameters, nGenes } = this.scope.job.context;
    moments.reset();
    nb?.measures.reset();
    for await (const block of this.rows.blocks(group)) {
      if ('counts' in block.rows) {
        moments.addRows(block.rows, block.totals, block.sizeFactors);
        nb?.measures.addRows(block.rows, block.sizeFactors);
      } else moments.addRealRows(block.rows);
    }
    const cells = this.rows.cellsOf(group);
    const pts = Float32Array.from(moments.nExpressing, (n) => n / cells);
    for (const test of parameters.tests) results.set(test, 'pts', row, pts);
    if (nb !== null) this.testNb(nb, row, cells);
    const logFoldChanges = new Float32Array(nGenes);
    for (let gene = 0; gene < nGenes; gene++) {
      const at = gene * MOMENTS + MomentColumn.normalized;
      logFoldChanges[gene] = logFoldChange(moments.sums[at] / cells, control.moments[at] / control.cells);
    }
    results.set('wilcoxon', 'logfoldchanges', row, logFoldChanges);
    results.set('t-test', 'logfoldchanges', row, logFoldChanges);
    if (parameters.tests.includes('t-test')) {
      compareMeans(results, row, { moments: moments.sums, cells }, control, this.factors.geneKept, parameters.tTest);
    }
    return moments.nExpressing;
  }

  private testNb(nb: NonNullable<PerturbationArms['nb']>, row: number, cells: number): void {
    const { results, scope, factors } = this;
    const { parameters } = scope.job.context;
    const fit = fitPerturbation(scope.heap, nb.control, nb.measures, {
      test: parameters.nbTest,
      geneKept: factors.geneKept,
    });
    const set = (layer: string, values: ArrayLike<number>): void => results.set('nb-glm', layer, row, values);
    set('X', fit.log2FoldChange);
    set('standard_error', fit.standardErrorLog2);
    set('z_score', fit.zScore);
    set('pvalue', fit.pValue);
    set('log10_pvalue', fit.log10PValue);
    set(
      'mean',
      normalisedTotals(nb.measures, nb.measures.nodes).map((total) => total / cells),
    );
    set('status', fit.status);
    if (parameters.layers === 'crispyx') {
      set(
        'logfoldchange_raw_ln',
        fit.log2FoldChange.map((value) => value * Math.LN2),
      );
      set(
        'standard_error_ln',
        fit.standardErrorLog2.map((value) => value * Math.LN2),
      );
      set('intercept', fit.meanControl.map(Math.log));
      set('converged', fit.converged);
      set('iterations', fit.iterations);
    }
    if (parameters.shrink === 'apeglm') {
      const priorScale = estimatePriorScale(fit.log2FoldChange, fit.standardErrorLog2);
      const shrunk = shrinkPerturbation(scope.heap, nb.control, nb.measures, fit, priorScale);
      set('logfoldchange_shrunk', shrunk.log2FoldChangeShrunk);
      set('standard_error_shrunk', shrunk.standardErrorShrunkLog2);
    }
    for (const status of fit.status) if (status === GeneStatus.notConverged) this.notConverged++;
  }
}

/** Sums a gene of a `MomentAccumulator`. */
const MOMENTS = Object.keys(MomentColumn).length;
